"""tests/run: builds, runs the lanes and counts. Needs nothing but Debian's python3."""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from . import counting, ctests, fuzzing
from .counting import ResultCounts
from .tools import REPOSITORY

TESTS = REPOSITORY / "tests"
REPORTS = REPOSITORY / "build" / "reports"
TEST_SECONDS = 300  # a test that hangs is ended; none comes near it (pytest.ini has the same)
SMOKE = "round_trip or start_and_key or processes"  # of e2e, where the rest would prove no more
# With sanitized programs: logins by JWT and by a key in a token, orderly ends, and kills.
SANITIZED_SMOKE = (
    "test_round_trip or test_start_and_key or test_restart or workers_keep_their_tokens or (tls_1_3 and p256)"
)
E2E_PROCESSES = 4  # most tests wait for timers; two cores are not always busy with four


class LaneError(Exception):
    """A lane could not run: its build or one of its parts failed."""


def say(text: str) -> None:
    """A line of progress, in order with the output of the programs that run below."""
    print(text, flush=True)


def run(command, what: str, env=None) -> None:
    """Runs a step that has to succeed; its output is shown."""
    if subprocess.run([str(part) for part in command], cwd=REPOSITORY, env=env).returncode != 0:
        raise LaneError(f"{what} failed")


def build(preset: str, targets=()) -> Path:
    """Configures once, builds what changed (or only the targets); returns the build folder."""
    folder = REPOSITORY / "build" / preset
    say(f"== build {preset}")
    if not (folder / "build.ninja").exists():
        run(["cmake", "--preset", preset], f"configuring {preset}")
    wanted = ["--target", *targets] if targets else []
    run(["cmake", "--build", "--preset", preset, *wanted], f"building {preset}")
    return folder


def fetch(*parts) -> None:
    """Gets programs of others into the cache; their paths go into the environment."""
    script = TESTS / "lab" / "fetch"
    result = subprocess.run([script, *parts], stdout=subprocess.PIPE, text=True)
    if result.returncode != 0:
        raise LaneError(f"fetching {', '.join(parts)} failed")
    os.environ.update(line.split("=", 1) for line in result.stdout.splitlines())


def ctest(preset: str, lane: str, labels: str, options, targets=()) -> ResultCounts:
    """Runs the tests with one of the labels (a regular expression) out of a build folder."""
    folder = build(preset, targets)
    say(f"== {lane}")
    return ctests.run(folder, REPORTS / lane, labels, options.filter, options.timeout)


def pytest(lane: str, options, processes: int = 1, marked: str = "") -> ResultCounts:
    """Runs the Python tests of one folder, in so many processes: all, or those whose marks fit."""
    report = counting.empty_folder(REPORTS / lane / marked.replace(" ", "-")) / "pytest.xml"
    command = [os.environ["PYTHON"], "-m", "pytest", "-c", TESTS / "pytest.ini", TESTS / lane]
    command += ["--verbose", "--durations=15", f"--junitxml={report}", f"--timeout={options.timeout}"]
    if processes > 1:
        command += ["--numprocesses", processes, "--dist", "loadgroup"]
    command += ["-k", options.filter] if options.filter else []
    command += ["-m", marked] if marked else []
    say(f"== {lane} {marked}".rstrip())
    subprocess.run([str(part) for part in command], cwd=REPOSITORY)
    return counting.from_pytest(report)


def unit(options) -> ResultCounts:
    """The tests that mirror the tree, and the contract vectors."""
    return ctest("release", "unit", "^unit$", options)


def asan(options) -> ResultCounts:
    """unit, hostile and some of e2e again, under AddressSanitizer and UndefinedBehaviorSanitizer."""
    counts = ctest("asan", "asan", "^(unit|hostile)$", options)
    if options.filter and counts.executed:
        return counts  # an expression for these
    fetch("python", "openbao")
    smoke = argparse.Namespace(filter=options.filter or SANITIZED_SMOKE, timeout=options.timeout)
    os.environ["BAOKMS_BIN"] = str(REPOSITORY / "build" / "asan" / "bin")
    try:
        return counts + pytest("e2e", smoke, E2E_PROCESSES)
    finally:
        del os.environ["BAOKMS_BIN"]


def hostile(options) -> ResultCounts:
    """Peers that break the protocol, and sandboxes that must hold."""
    return ctest("release", "hostile", "^hostile$", options)


def redteam(options) -> ResultCounts:
    """Attacks out of the filters of all processes, and in the processes of a running provider."""
    counts = ctest("release", "redteam", "^redteam$", options)
    if options.filter and counts.executed:
        return counts  # an expression for these
    fetch("python", "openbao")
    return counts + pytest("redteam", options)


def tsan(options) -> ResultCounts:
    """The tests in which several threads run, under ThreadSanitizer."""
    return ctest("tsan", "tsan", "^threads$", options, ["threads_tests"])


def fuzz(options) -> ResultCounts:
    """Half a minute of libFuzzer for every parser, and for the messages between the processes."""
    counts = ctest("fuzz", "fuzz", "^fuzz$", options, ["fuzz_targets"])
    for report in sorted((REPORTS / "fuzz").rglob("ctest.xml")):
        for target, inputs in fuzzing.tried_inputs(report).items():
            say(f"{target}: {inputs} inputs")
    return counts


def e2e(options) -> ResultCounts:
    """The real programs against a real OpenBao."""
    build("release")
    fetch("python", "openbao", "keycloak")
    counts = pytest("e2e", options, E2E_PROCESSES, "not alone")
    return counts + pytest("e2e", options, 1, "alone")


def conformance(options) -> ResultCounts:
    """Kubernetes' own KMS v2 client against the socket."""
    build("release")
    fetch("python", "openbao", "go")
    report = counting.empty_folder(REPORTS / "conformance") / "go.json"
    command = [os.environ["PYTHON"], "-m", "rig.conformance", "--report", str(report)]
    if options.filter:
        command += ["--filter", options.filter]
    say("== conformance")
    subprocess.run(command, cwd=TESTS)
    return counting.from_go(report)


def kubernetes(options) -> ResultCounts:
    """etcd and kube-apiserver with the provider."""
    build("release")
    version = os.environ.get("KUBERNETES_VERSION")
    fetch("python", "openbao", "etcd", f"kube-apiserver={version}" if version else "kube-apiserver")
    return pytest("kubernetes", options)


def systemd(options) -> ResultCounts:
    """The units under a real systemd, booted in a container."""
    build("release")
    fetch("python", "openbao")
    return pytest("systemd", options)


def debian13(options) -> ResultCounts:
    """unit, hostile and some of e2e again, built and run on Debian 13."""
    build = REPOSITORY / "build" / "debian13"
    total = ResultCounts()
    for lane, expression in (("unit", ""), ("hostile", ""), ("e2e", SMOKE)):
        command = [TESTS / "lab" / "debian13", "tests/run", "--only", lane]
        command += ["--timeout", options.timeout, "--filter", options.filter or expression]
        shutil.rmtree(build / "reports" / lane, ignore_errors=True)
        subprocess.run([str(part) for part in command], cwd=REPOSITORY)
        total += counting.from_summary(build / "reports" / lane / "summary")
    return total


LANES = (unit, asan, tsan, hostile, redteam, fuzz, e2e, conformance, kubernetes, systemd)
FULL = (*LANES, debian13)
# Programs that are packages of Debian 12 alone (tests/lab/packages.txt).
NEEDED = {fuzz: "clang++-14"}


def lacking(lane):
    """The program without which a lane does not run on this release of Debian, or None."""
    program = NEEDED.get(lane)
    return None if program is None or shutil.which(program) else program


def run_lane(lane, options) -> ResultCounts:
    """One lane with its closing line; a lane that ran no test has failed, unless a filter is the
    reason.
    """
    started = time.monotonic()
    try:
        counts = lane(options)
        if counts.executed == 0 and not options.filter:
            raise LaneError("no test was executed")
    except LaneError as error:
        say(f"{lane.__name__}: {error}")
        counts = ResultCounts(failed=1)
    counting.write_summary(REPORTS / lane.__name__ / "summary", counts)
    say(f"== {lane.__name__} took {time.monotonic() - started:.0f} s")
    say(f"{lane.__name__}: {counts}")
    return counts


def parse(arguments):
    """The command line of tests/run."""
    names = [lane.__name__ for lane in FULL]
    parser = argparse.ArgumentParser(prog="tests/run", description="Builds and tests everything.")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--only", choices=names, help="run one lane")
    which.add_argument("--full", action="store_true", help="run every lane, also debian13")
    parser.add_argument(
        "--filter",
        default="",
        metavar="EXPRESSION",
        help="unit, asan, tsan, hostile, redteam and fuzz: a test (ctest -R) or GoogleTest cases"
        " (--gtest_filter);"
        " pytest -k; go test -run",
    )
    parser.add_argument(
        "--timeout",
        type=int,
        default=TEST_SECONDS,
        metavar="SECONDS",
        help=f"limit of a single test (default {TEST_SECONDS})",
    )
    parser.add_argument(
        "--kubernetes", metavar="VERSION", help="kube-apiserver of the kubernetes lane"
    )
    return parser.parse_args(arguments)


def main(arguments) -> int:
    """Returns the exit status."""
    options = parse(arguments)
    if options.kubernetes:
        os.environ["KUBERNETES_VERSION"] = options.kubernetes
    lanes = [lane for lane in FULL if lane.__name__ == options.only]
    if not lanes:
        every = FULL if options.full else LANES
        lanes = [lane for lane in every if not lacking(lane)]
        for lane in set(every) - set(lanes):
            say(f"{lane.__name__}: not on this release of Debian, which has no {lacking(lane)}")
    results = {lane.__name__: run_lane(lane, options) for lane in lanes}
    total = sum(results.values(), ResultCounts())
    say("")
    for name, counts in results.items():
        say(f"{name}: {counts}")
    strict = os.environ.get("CI") == "true" and os.geteuid() == 0
    if strict and total.skipped:
        say("A skipped test is a failure here: this machine has everything a test may need.")
    if total.executed == 0:
        say("No test was executed.")
    say(str(total))
    return 1 if total.failed or total.executed == 0 or (strict and total.skipped) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
