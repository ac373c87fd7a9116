#!/usr/bin/env python3
"""Fails on what the house rules forbid and a compiler does not see.

usage: style.py ROOT
"""
import pathlib
import re
import sys

FOLDERS = ("common", "ipc", "worker", "authagent", "supervisor")
MAX_LINES = 600
MAX_MAIN_LINES = 80
RULES = [
    (r"\bdup\(", "dup() loses close-on-exec: fcntl(F_DUPFD_CLOEXEC)", ()),
    (r"(?<![_\w:.])(std::|::)?exit\(", "exit() runs destructors of a half-alive process: return, or _exit() in a child", ()),
    (r"\bnew\s+[A-Za-z_:<]+[({]", "new: std::make_unique, or unique_ptr around a private constructor", ("unique_ptr", "shared_ptr")),
    (r"\bdelete\s+\w", "delete: give it an owner", ()),
    (r"using namespace", "using namespace", ()),
    (r"\bgetenv\(", "getenv: only where the environment is input", ("supervisor/serve/", "supervisor/cli/", "supervisor/config/", "supervisor/main.cc")),
    (r"//\s*NOLINT(?!NEXTLINE)?(?![A-Z]*\()", "NOLINT without the check's name", ()),
    (r"\b(TODO|FIXME|XXX)\b", "unfinished work belongs in an issue", ()),
]


def problems_of(root: pathlib.Path, path: pathlib.Path) -> list[str]:
    name = path.relative_to(root).as_posix()
    lines = path.read_text().splitlines()
    found = []
    limit = MAX_MAIN_LINES if path.name == "main.cc" else MAX_LINES
    if len(lines) > limit:
        found.append(f"{name}: {len(lines)} lines, at most {limit}")
    if path.suffix == ".h" and not (lines and lines[0].startswith("//")):
        found.append(f"{name}:1: a header begins with what it is for")
    if path.suffix == ".h" and "#pragma once" not in lines:
        found.append(f"{name}: #pragma once is missing")
    for number, line in enumerate(lines, 1):
        code = re.sub(r'"(\\.|[^"\\])*"', '""', line)
        code = code.split("//")[0] if "NOLINT" not in code and "TODO" not in code else code
        for pattern, message, excused in RULES:
            window = "".join(lines[max(0, number - 4) : number])
            if re.search(pattern, code) and not any(name.startswith(e) or e in window for e in excused):
                found.append(f"{name}:{number}: {message}")
    return found


def main() -> int:
    root = pathlib.Path(sys.argv[1])
    files = [p for folder in FOLDERS for p in sorted((root / folder).rglob("*")) if p.suffix in (".cc", ".h")]
    bad = [problem for path in files for problem in problems_of(root, path)]
    print("\n".join(bad) or f"style: {len(files)} files are in order")
    return 1 if bad or not files else 0


if __name__ == "__main__":
    sys.exit(main())
