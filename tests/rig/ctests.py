"""Runs ctest in a build folder: whole tests by their names, or single GoogleTest cases."""

import json
import os
import re
import subprocess
from pathlib import Path

from . import counting, sanitizers
from .counting import ResultCounts


def listed(folder: Path, labels: str) -> dict:
    """The tests with one of the labels (a regular expression): {name: path of the program}."""
    command = ["ctest", "--test-dir", str(folder), "--label-regex", labels, "--show-only=json-v1"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {test["name"]: Path(test["command"][0]) for test in json.loads(output)["tests"]}


def has_case(program: Path, pattern: str) -> bool:
    """Whether a GoogleTest program has a case that the pattern (--gtest_filter) selects."""
    command = [str(program), f"--gtest_filter={pattern}", "--gtest_list_tests"]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=_environment()).stdout
    return any(line.startswith("  ") for line in output.splitlines())


def select(folder: Path, labels: str, expression: str) -> list:
    """What an expression stands for: (names of tests, GoogleTest pattern or None for all cases).

    A test whose name the expression matches as a regular expression runs as a whole. Of the other
    programs those run that have a case of that name, with these cases alone.
    """
    tests = listed(folder, labels)
    try:
        names = {name for name in tests if re.search(expression, name)}
    except re.error:  # `*Foo`, for example, is a pattern and no regular expression
        names = set()
    cases = {
        name
        for name in tests.keys() - names
        if tests[name].parent == folder / "tests" and has_case(tests[name], expression)
    }
    return [part for part in ((names, None), (cases, expression)) if part[0]]


def run(folder: Path, reports: Path, labels: str, expression: str, seconds: int) -> ResultCounts:
    """Runs the tests with one of the labels that the expression selects ("" = all), and ends each
    one that takes longer than so many seconds.
    """
    reports = counting.empty_folder(reports)
    if not expression:
        return _run(folder, reports, ["--label-regex", labels], None, seconds)
    total = ResultCounts()
    for names, pattern in select(folder, labels, expression):
        chosen = "|".join(re.escape(name) for name in sorted(names))
        part = counting.empty_folder(reports / ("cases" if pattern else "whole"))
        total += _run(folder, part, ["--tests-regex", f"^({chosen})$"], pattern, seconds)
    return total


def _environment() -> dict:
    return {**os.environ, **sanitizers.OPTIONS}


def _run(folder: Path, reports: Path, selection: list, pattern, seconds: int) -> ResultCounts:
    command = ["ctest", "--test-dir", folder, *selection, "--output-on-failure"]
    # A TIMEOUT property of a test would win over this limit, so no test has one.
    command += ["--parallel", os.cpu_count(), "--timeout", seconds]
    command += ["--output-junit", reports / "ctest.xml"]
    command += ["--test-output-size-passed", 65536]  # the end of a fuzz target's output is needed
    environment = {**_environment(), "GTEST_OUTPUT": f"xml:{reports}/"}
    if pattern:
        environment["GTEST_FILTER"] = pattern
    subprocess.run([str(part) for part in command], env=environment)
    return counting.from_ctest(reports / "ctest.xml", reports)
