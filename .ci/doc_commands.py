#!/usr/bin/env python3
"""Fails when a document shows a script of this tree that does not exist or refuses the options.

usage: doc_commands.py ROOT

Command lines of bao-kms-provider itself are parsed by the program's own parser
(tests/supervisor/cli/documented_commands_test.cc).
"""
import contextlib
import io
import pathlib
import re
import shlex
import sys

FENCE = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SCRIPT = re.compile(r"^(?:\$ )?((?:tests|docs|\.ci)/[\w./-]+)(.*)$")


def shown(page: pathlib.Path):
    """(script, arguments) of every command line in a code block, continuation lines joined."""
    for block in FENCE.findall(page.read_text()):
        for line in block.replace("\\\n", " ").splitlines():
            if match := SCRIPT.match(line.strip()):
                yield match.group(1), shlex.split(match.group(2), comments=True)


def refused_by_lanes(root: pathlib.Path, arguments: list[str]) -> str:
    """What the parser of tests/run says about the arguments; empty when it accepts them."""
    sys.path.insert(0, str(root / "tests"))
    from rig import lanes

    output = io.StringIO()
    try:
        with contextlib.redirect_stderr(output):
            lanes.parse(arguments)
    except SystemExit:
        return output.getvalue().strip().splitlines()[-1]
    return ""


def problem_of(root: pathlib.Path, script: str, arguments: list[str]) -> str:
    """What is wrong with one command line."""
    file = root / script
    if not file.is_file():
        return "no such file"
    if script == "tests/run":
        # "unit|asan" stands for a choice.
        return refused_by_lanes(root, [argument.split("|")[0] for argument in arguments])
    text = file.read_text()
    unknown = [a for a in arguments if a.startswith("--") and a.split("=")[0] not in text]
    return f"does not know {', '.join(unknown)}" if unknown else ""


def main() -> int:
    """Checks the README and every page of docs."""
    root = pathlib.Path(sys.argv[1]).resolve()
    sys.dont_write_bytecode = True
    pages = [root / "README.md", root / "tests/bench/README.md", *sorted((root / "docs").rglob("*.md"))]
    bad, count = [], 0
    for page in pages:
        for script, arguments in shown(page):
            count += 1
            if problem := problem_of(root, script, arguments):
                bad.append(f"{page.relative_to(root)}: {script} {shlex.join(arguments)}: {problem}")
    print("\n".join(bad) or f"doc_commands: {count} command lines are accepted")
    return 1 if bad or not count else 0


if __name__ == "__main__":
    sys.exit(main())
