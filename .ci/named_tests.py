#!/usr/bin/env python3
"""Fails unless every test that docs/security.md names exists, and every row that has to name one does;
and unless every key of the configuration in KEYS has a test that exists.

usage: named_tests.py ROOT

A test is named as `SuiteTest.Case` or `SuiteTest` (GoogleTest), `test_name` (pytest), or
`test_deed[what is done]` (tests/redteam/deeds.py). The rows of a table with a column "attacked by"
name at least one each.
"""
import pathlib
import re
import sys

PAGE = "docs/security.md"
COLUMN = "attacked by"
NAME = re.compile(r"`((?:\w+Test(?:\.\w+)?)|(?:test_\w+(?:\[[^]`]+\])?))`")
GOOGLE_TEST = re.compile(r"^TEST(?:_[FP])?\(\s*(\w+),\s*(\w+)\)", re.MULTILINE)
PYTEST = re.compile(r"^def (test_\w+)\(", re.MULTILINE)
KEYS = "tests/supervisor/serve/configuration_test.cc"
KEY_TABLE = re.compile(r"\bkElsewhere\{(.*?)^\};", re.MULTILINE | re.DOTALL)
KEY_ROW = re.compile(r"\{\"([^\"]*)\",\s*\"([^\"]*)\"\}")
DEED = re.compile(r"\b(?:Deed|killed)\(\s*\"([^\"]+)\"")


def known_tests(root: pathlib.Path) -> set[str]:
    """The names of all tests of the tree, in the forms that a page may use."""
    names: set[str] = set()
    for path in sorted((root / "tests").rglob("*.cc")):
        for suite, case in GOOGLE_TEST.findall(path.read_text()):
            names |= {suite, f"{suite}.{case}"}
    for path in sorted((root / "tests").rglob("test_*.py")):
        names |= set(PYTEST.findall(path.read_text()))
    deeds = (root / "tests/redteam/deeds.py").read_text()
    return names | {f"test_deed[{deed}]" for deed in DEED.findall(deeds)}


def cells_of(line: str) -> list[str]:
    """The cells of a table's row; nothing for another line."""
    return [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []


def rows_without_a_test(lines: list[str]) -> list[str]:
    """The first cells of the rows that name no test although their table has the column."""
    found, column = [], None
    for number, line in enumerate(lines, 1):
        cells = cells_of(line)
        if not cells:
            column = None
        elif column is None:
            column = cells.index(COLUMN) if COLUMN in cells else -1
        elif column >= 0 and not set(cells[0]) <= set("-: "):
            if len(cells) <= column or not NAME.search(cells[column]):
                found.append(f"{PAGE}:{number}: names no test: {cells[0]}")
    return found


def tests_of_keys(root: pathlib.Path) -> list[tuple[str, str]]:
    """(key, test) of each row of the table in KEYS."""
    table = KEY_TABLE.search((root / KEYS).read_text())
    return KEY_ROW.findall(table.group(1)) if table else []


def main() -> int:
    """Compares; prints every difference."""
    root = pathlib.Path(sys.argv[1])
    lines = (root / PAGE).read_text().splitlines()
    known = known_tests(root)
    named = [(number, name) for number, line in enumerate(lines, 1) for name in NAME.findall(line)]
    bad = [f"{PAGE}:{number}: no such test: {name}" for number, name in named if name not in known]
    bad += rows_without_a_test(lines)
    keys = tests_of_keys(root)
    bad += [f"{KEYS}: no such test: {test} of {key}" for key, test in keys if test not in known]
    print("\n".join(bad) or f"named_tests: {len(named) + len(keys)} names are tests")
    return 1 if bad or not named or not keys else 0


if __name__ == "__main__":
    sys.exit(main())
