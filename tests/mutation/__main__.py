"""tests/mutation/run: plants faults in a copy of the tree and runs the tests that have to fail."""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from rig.ctests import has_case
from rig.lanes import fetch
from rig.tools import REPOSITORY

from . import switches
from .faults import PYTEST_FOLDERS, Fault, FaultListError, load

TREE = REPOSITORY / "build" / "mutation"
# What the end-to-end tests start, as targets.
E2E_TARGETS = (
    "bao-kms-provider",
    "bao-kms-spawner",
    "bao-kms-worker",
    "bao-kms-authagent",
    "bao-kms-etcd-scan",
    "baokms_faulty_pkcs11",
    "refusing_child",
    "flooding_worker",
    "lying_agent",
    "lying_worker",
    "pretending_worker",
    "unfiltered_worker",
)
BUILD_SECONDS, LANE_SECONDS = 1800, 1200
TEST_SECONDS = 300  # a test that hangs has noticed the fault


def parse(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="tests/mutation/run",
        description="Plants each fault of tests/mutation/faults.toml in a copy of the tree and runs"
        " the test that has to notice it. Ends with 1 if a fault is not noticed.",
    )
    parser.add_argument(
        "--only",
        action="append",
        metavar="TEXT",
        help="only faults whose name or file has this text; given several times, those that have any",
    )
    parser.add_argument("--list", action="store_true", help="print the faults, run nothing")
    parser.add_argument("--check", action="store_true", help="only check that each fault fits the tree")
    return parser.parse_args(arguments)


def copy_tree() -> None:
    """Brings the copy up to date; files that are equal keep their time, so little is built again."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    names = [name for name in listed.split("\0") if name and (REPOSITORY / name).exists()]
    for name in names:
        source, target = REPOSITORY / name, TREE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or source.read_bytes() != target.read_bytes():
            shutil.copy(source, target)
    wanted = {TREE / name for name in names}
    for path in TREE.rglob("*"):
        if path.is_file() and "build" not in path.relative_to(TREE).parts and path not in wanted:
            path.unlink()


def run(command, log: Path, seconds: int, environment=None) -> bool:
    """Whether the command succeeded in the copy within so many seconds; its output goes to the log."""
    with log.open("a") as output:
        output.write(f"$ {' '.join(map(str, command))}\n")
        output.flush()
        try:
            ended = subprocess.run(
                [str(part) for part in command],
                cwd=TREE,
                stdout=output,
                stderr=output,
                timeout=seconds,
                check=False,
                env=os.environ | (environment or {}),
            )
        except subprocess.TimeoutExpired:
            return False
    return ended.returncode == 0


def build(tests, log: Path) -> bool:
    """Whether what the tests need can be built in the copy."""
    folder = TREE / "build" / "release"
    if not (folder / "build.ninja").exists() and not run(
        ["cmake", "--preset", "release"], log, BUILD_SECONDS
    ):
        return False
    targets = set()
    for name, what in tests:
        targets.update(E2E_TARGETS if name in PYTEST_FOLDERS else [what.split()[0]])
    return run(["cmake", "--build", "--preset", "release", "--target", *targets], log, BUILD_SECONDS)


def passes(test: tuple, log: Path, fault: str = "") -> bool:
    """Whether a test, which is built, passes; one that does not exist does not. fault is the name of
    one that is planted behind a switch.
    """
    name, what = test
    switches.ask(TREE, fault)
    if name in PYTEST_FOLDERS:
        fetch("python", "openbao")
        command = [os.environ["PYTHON"], "-m", "pytest", "-c", "tests/pytest.ini", PYTEST_FOLDERS[name]]
        # The copy's tests and programs, not those beside this one.
        tests = {
            "PYTHONPATH": str(TREE / "tests"),
            "BAOKMS_BIN": str(TREE / "build" / "release" / "bin"),
        }
        return run([*command, "-x", "-k", what], log, LANE_SECONDS, tests)
    program, _, cases = what.partition(" ")
    if cases and not has_case(TREE / "build" / "release" / "tests" / program, cases):
        return False
    command = ["ctest", "--test-dir", "build/release", "--no-tests=error", "--output-on-failure"]
    command += ["--timeout", TEST_SECONDS]
    selected = ["--tests-regex", rf"(^|\.){program}$", "--label-regex", f"^{name}$"]
    environment = {"GTEST_FAIL_FAST": "1"} | ({"GTEST_FILTER": cases} if cases else {})
    return run(command + selected, log, LANE_SECONDS, environment)


def judge(fault: Fault, log: Path) -> str:
    """Plants the fault, runs its test, takes the fault out again: "" if the test notices it."""
    path = TREE / fault.file
    before = path.read_text()
    path.write_text(fault.applied(TREE))
    try:
        if not build([fault.noticed_by], log):
            return "does not build"
        return "NOT NOTICED" if passes(fault.noticed_by, log) else ""
    finally:
        path.write_text(before)


def fit(faults: list) -> bool:
    """Whether each fault can be planted in this tree; says which cannot."""
    misfits = 0
    for fault in faults:
        try:
            fault.applied(REPOSITORY)
        except FaultListError as error:
            print(f"mutation: {error}")
            misfits += 1
    return misfits == 0


def failing(faults: list, log: Path) -> set:
    """Those tests of the faults that fail without any fault; such a test would prove nothing."""
    failed = {test for test in {fault.noticed_by for fault in faults} if not passes(test, log)}
    for name, what in sorted(failed):
        print(f"{name}: {what} fails, or does not exist, without any fault: see {log}", flush=True)
    return failed


class Report:
    """One line for each fault as soon as it is judged, and a summary at the end."""

    def __init__(self):
        self.problems = []
        self.begun = self.started = time.monotonic()

    def start(self) -> None:
        """The time until the next fault is judged counts from here."""
        self.started = time.monotonic()

    def add(self, fault: Fault, problem: str, how: str) -> None:
        """problem is "" for a fault that was noticed."""
        self.problems.append((problem, fault.name))
        seconds = time.monotonic() - self.started
        print(f"{problem or 'noticed':14} {how:6} {seconds:6.1f} s  {fault.name}", flush=True)
        self.start()

    def end(self) -> int:
        """Returns the exit code."""
        left = [f"{problem}: {name}" for problem, name in self.problems if problem]
        minutes = (time.monotonic() - self.begun) / 60
        print(f"{len(self.problems) - len(left)} of {len(self.problems)} faults were noticed", end="")
        print(f" in {minutes:.0f} minutes", *left, sep="\n")
        return 1 if left else 0


def judge_switched(faults: list, log: Path, report: Report) -> list:
    """Judges those faults that one build can have behind switches; returns all others, and those
    whose test passed, because the switch may not have reached the program that it is in.
    """
    planted = switches.plant(faults, TREE)
    try:
        if planted and not build([fault.noticed_by for fault in planted], log):
            print(f"the build with switches fails, so that each fault gets its own: see {log}")
            return faults
        broken = failing(planted, log)
        noticed = []
        report.start()
        for fault in planted:
            if fault.noticed_by not in broken and not passes(fault.noticed_by, log, fault.name):
                report.add(fault, "", "switch")
                noticed.append(fault)
        return [fault for fault in faults if fault not in noticed]
    finally:
        copy_tree()


def judge_built(faults: list, log: Path, report: Report) -> bool:
    """Judges each fault in a build of its own; false if not even the tree itself can be built."""
    if faults and not build([fault.noticed_by for fault in faults], log):
        print(f"the tests cannot be built: see {log}")
        return False
    broken = failing(faults, log)
    report.start()
    for fault in faults:
        report.add(fault, "TEST FAILS" if fault.noticed_by in broken else judge(fault, log), "build")
    return True


def main(arguments) -> int:
    """Returns the exit code."""
    options = parse(arguments)
    faults = load(options.only or [""])
    if options.list:
        for fault in faults:
            print(f"{fault.name}\t{fault.file}\t{': '.join(fault.noticed_by)}")
        return 0
    if not fit(faults):
        return 1
    if options.check:
        print(f"{len(faults)} faults fit the tree")
        return 0
    copy_tree()
    log = TREE / "build" / "mutation.log"
    log.parent.mkdir(exist_ok=True)
    log.write_text("")
    report = Report()
    if not judge_built(judge_switched(faults, log, report), log, report):
        return 1
    return report.end()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except FaultListError as error:
        sys.exit(f"mutation: {error}")
