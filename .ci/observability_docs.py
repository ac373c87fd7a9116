#!/usr/bin/env python3
"""Fails unless docs/observability.md names exactly the metrics and log events that the code has.

usage: observability_docs.py ROOT

Metrics are the literals in supervisor/observe. Log events are the literals that the code gives a
record as its event.
"""
import pathlib
import re
import sys

PAGE = "docs/observability.md"
FOLDERS = ("supervisor", "worker", "authagent", "common", "ipc")
METRIC = re.compile(r'"((?:openbao_kms|process)_[a-z_]+)"')
WORD = r'"([a-z_]+\.[a-z_]+)"'
EVENTS = [
    re.compile(pattern)
    for pattern in (
        rf"event = {WORD}",
        rf"event = [^;\"]+\? {WORD} : {WORD}",
        rf"LogLevel::k\w+,\s*{WORD}",
        rf"LogEvent\(\*?(?:base\.)?log, {WORD}",
        rf"Write\(level, {WORD}",
        rf"\bLog(?:Attempt)?\({WORD}",
    )
]


def sources(root: pathlib.Path, folders) -> str:
    """The text of every .cc file."""
    files = sorted(path for folder in folders for path in (root / folder).rglob("*.cc"))
    return "\n".join(path.read_text() for path in files)


def events_of(text: str) -> set[str]:
    """What the code writes."""
    found = set()
    for pattern in EVENTS:
        for match in pattern.finditer(text):
            found.update(match.groups())
    return found


def rows_of(page: str, heading: str) -> list[str]:
    """The first cell of every row below a heading, up to the next one."""
    section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([a-z_.]+)`", section, re.MULTILINE)


def differences(what: str, documented: list[str], real: set[str]) -> list[str]:
    """One line for each name that only one side has, or that has two rows."""
    bad = [f"{PAGE} has no row for the {what} {name}" for name in sorted(real - set(documented))]
    bad += [f"{PAGE}: no code has the {what} {name}" for name in sorted(set(documented) - real)]
    bad += [f"{PAGE}: two rows for {n}" for n in sorted({d for d in documented if documented.count(d) > 1})]
    return bad


def main() -> int:
    """Compares; prints every difference."""
    root = pathlib.Path(sys.argv[1])
    page = (root / PAGE).read_text()
    metrics = set(METRIC.findall(sources(root, ["supervisor/observe"])))
    events = events_of(sources(root, FOLDERS))
    bad = differences("metric", rows_of(page, "Metrics"), metrics)
    bad += differences("log event", rows_of(page, "Logs"), events)
    print("\n".join(bad) or f"{len(metrics)} metrics and {len(events)} log events have their row")
    return 1 if bad or not metrics or not events else 0


if __name__ == "__main__":
    sys.exit(main())
