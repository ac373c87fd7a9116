#!/usr/bin/env python3
"""Fails unless docs/security.md says of every system call what the reviewed filters do with it.

usage: syscall_docs.py ROOT

The golden files (tests/policies/reviewed) of the four filters that have no simpler one are what is in
force; the first two tables of the page are what people read. Each call of a golden file needs a row
with a reason and the right word per process; a row without a call is stale. The spawner's filter is
inherited, so it must let pass whatever the filters of its children do.
"""
import errno
import pathlib
import re
import sys

PAGE = "docs/security.md"
SECTION = "### The filters of a process"
PROCESSES = ["worker", "agent", "spawner", "supervisor"]
NOT_ALLOWED = "-"
KILLED = "kill"


def word_of(block: str) -> str:
    """What a filter does with one call, in the page's words."""
    actions = set(re.findall(r"action (\S+);", block))
    if "KILL_PROCESS" in actions:
        return KILLED
    number = next((re.search(r"\d+", a) for a in actions if a.startswith("ERRNO")), None)
    if number and "ALLOW" not in actions:
        return errno.errorcode.get(int(number[0]), number[0])
    return "some" if "$a" in block else "yes"


def calls_of(golden: pathlib.Path) -> dict[str, str]:
    """The word of every call that a golden file names."""
    text = golden.read_text().split("# default action")[0]
    blocks = re.split(r'# filter for syscall "(\w+)"[^\n]*\n', text)[1:]
    return {name: word_of(block) for name, block in zip(blocks[::2], blocks[1::2])}


def rows_of(page: str) -> dict[str, tuple[list[str], str]]:
    """The rows whose first cell is one call: its other cells and its reason."""
    rows = {}
    for line in page.splitlines():
        if match := re.match(r"\| `([a-z0-9_]+)` \|(.*)\|$", line):
            *cells, reason = (cell.strip() for cell in match[2].split("|"))
            rows[match[1]] = (cells, reason)
    return rows


def problems_of(filters: dict[str, dict[str, str]], rows) -> list[str]:
    """What the page does not say, says wrongly, or says of nothing."""
    bad = []
    named = sorted(set().union(*filters.values()))
    for call in named:
        words = [filters[process].get(call, NOT_ALLOWED) for process in PROCESSES]
        killed = KILLED in words
        if call not in rows:
            bad.append(f"{PAGE} has no row for {call}: {' '.join(words)}")
            continue
        cells, reason = rows[call]
        if not reason:
            bad.append(f"{PAGE}: {call} has no reason")
        if not killed and cells != words:
            bad.append(f"{PAGE}: {call} is {' '.join(words)} in the filters")
    bad += [f"{PAGE}: no filter names {call}" for call in rows if call not in named]
    for child in ("worker", "agent"):
        for call, word in filters[child].items():
            if filters["spawner"].get(call, NOT_ALLOWED) == NOT_ALLOWED:
                bad.append(f"the {child}'s {call} ({word}) does not pass the spawner's filter")
    return bad


def main() -> int:
    """Compares; prints every difference."""
    root = pathlib.Path(sys.argv[1])
    filters = {
        process: calls_of(root / f"tests/policies/reviewed/{process}.x86_64.pfc.golden")
        for process in PROCESSES
    }
    section = (root / PAGE).read_text().partition(f"\n{SECTION}\n")[2].partition("\n### ")[0]
    bad = problems_of(filters, rows_of(section))
    total = len(set().union(*filters.values()))
    print("\n".join(bad) or f"system calls: {total} have their row")
    return 1 if bad or total == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
