"""How many tests passed, failed and were skipped, from the reports of ctest, GoogleTest, pytest and
go test.
"""

import dataclasses
import json
import shutil
import xml.etree.ElementTree as xml
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ResultCounts:
    """A sum of test results."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other):
        return ResultCounts(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        )

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    @property
    def executed(self) -> int:
        """Tests that really ran."""
        return self.passed + self.failed


PASSED, FAILED, SKIPPED = ResultCounts(passed=1), ResultCounts(failed=1), ResultCounts(skipped=1)


def empty_folder(path: Path) -> Path:
    """The folder, with nothing of an earlier run in it."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def _gtest_case(case) -> ResultCounts:
    if case.find("failure") is not None:
        return FAILED
    if case.get("status") == "notrun" or case.get("result") in ("skipped", "suppressed"):
        return SKIPPED
    return PASSED


def _gtest(report: Path) -> ResultCounts:
    return sum(map(_gtest_case, xml.parse(report).iter("testcase")), ResultCounts())


def from_ctest(report: Path, gtest_folder: Path) -> ResultCounts:
    """Counts single GoogleTest cases where a test wrote its own report, else whole ctest entries.

    A test program that crashed counts as one failure more than what it reported.
    """
    if not report.exists():
        return ResultCounts()
    total = ResultCounts()
    for entry in xml.parse(report).iter("testcase"):
        program = entry.get("name").rpartition(".")[2]  # "topic.program"
        own = gtest_folder / f"{program}.xml"
        counts = _gtest(own) if own.exists() else ResultCounts()
        if entry.get("status") == "run":
            total += counts if own.exists() else PASSED
        elif entry.get("status") == "fail":
            total += counts if counts.failed else counts + FAILED
        else:
            total += SKIPPED
    return total


def from_pytest(report: Path) -> ResultCounts:
    """Errors of fixtures count as failures."""
    if not report.exists():
        return FAILED  # pytest ended before it could report
    total = ResultCounts()
    for case in xml.parse(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            total += FAILED
        else:
            total += SKIPPED if case.find("skipped") is not None else PASSED
    return total


def from_go(report: Path) -> ResultCounts:
    """Counts tests and subtests; a package that did not build or ended early is a failure."""
    if not report.exists():
        return FAILED
    total, package_failed = ResultCounts(), False
    for line in report.read_text().splitlines():
        event = json.loads(line)
        action = event["Action"]
        if "Test" not in event:
            package_failed |= action == "fail"
        elif action in ("pass", "fail", "skip"):
            total += {"pass": PASSED, "fail": FAILED, "skip": SKIPPED}[action]
    return total + FAILED if package_failed and not total.failed else total


def write_summary(path: Path, counts: ResultCounts) -> None:
    """Leaves the counts of a lane for from_summary()."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(dataclasses.asdict(counts)) + "\n")


def from_summary(path: Path) -> ResultCounts:
    """The counts of a lane that another tests/run has run."""
    return ResultCounts(**json.loads(path.read_text())) if path.exists() else FAILED
