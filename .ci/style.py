#!/usr/bin/env python3
"""Fails on what the house rules forbid and a compiler does not see.

usage: style.py ROOT
"""
import pathlib
import re
import sys

FOLDERS = ("common", "ipc", "worker", "authagent", "supervisor")
MAX_LINES = 500
MAX_MAIN_LINES = 80
# (pattern, message, where it is allowed: beginnings of a file's name, or words within three lines)
RULES = [
    (r"\bdup\(", "dup() loses close-on-exec: fcntl(F_DUPFD_CLOEXEC)", ()),
    (r"(?<![_\w:.])(std::|::)?exit\(", "exit() runs destructors of a half-alive process: return, or _exit() in a child", ()),
    (r"\bnew\s+[A-Za-z_:<]+[({]", "new: std::make_unique, or unique_ptr around a private constructor", ("unique_ptr", "shared_ptr")),
    (r"\bdelete\s+\w", "delete: give it an owner", ()),
    (r"using namespace", "using namespace", ()),
    (r"\bgetenv\(", "getenv: only where the environment is input", ("supervisor/serve/", "supervisor/cli/", "supervisor/config/", "supervisor/main.cc")),
    (r"\bmemcmp\(", "memcmp: compare secrets in constant time", ("common/", "supervisor/")),
    (r"\bReveal(Mutable|Text)?\(", "Reveal(): this process must not see secrets", ("common/", "authagent/", "worker/", "ipc/token_message.cc", "ipc/link.cc")),
    (r"--(no|disable|without)-(sandbox|seccomp|landlock|filter)", "no switch turns a protection off", ()),
    (r"//\s*NOLINT(?!NEXTLINE)?(?![A-Z]*\()", "NOLINT without the check's name", ()),
    (r"\bk(Most|Longest|Largest|Highest)\w*", "a maximum is called kMax...", ()),
    (r"\.has_value\(\)\)* (&&|\|\||\?)|(&&|\|\|) [^;]*\.has_value\(\)|\b(if|while) \(.*\.has_value\(\)\)+ \{", "has_value() as a condition: if (x), as everywhere else", ()),
    (r"\b(TODO|FIXME|XXX)\b", "unfinished work belongs in an issue", ()),
]
TYPE = re.compile(r"(?:struct|class|union|enum(?: class)?) (?:\[\[\w+\]\] )?([\w:]+)(?: final)?(?: : [^;{]*)? \{")
# What no text of the tree may say: comments, documents and tests included.
TEXT_RULES = [(r"\bcan[ ]not\b", "cannot")]
TEXT_SUFFIXES = (".cc", ".h", ".md", ".proto", ".py", ".txt", ".yaml", ".service", ".socket")


def size_problem(name: str, lines: list[str], limit: int) -> list[str]:
    """A file is about one idea; one that is too long has more."""
    return [f"{name}: {len(lines)} lines, at most {limit}"] if len(lines) > limit else []


def problems_of(root: pathlib.Path, path: pathlib.Path) -> list[str]:
    """What one file of the programs does that it must not."""
    name = path.relative_to(root).as_posix()
    lines = path.read_text().splitlines()
    found = size_problem(name, lines, MAX_MAIN_LINES if path.name == "main.cc" else MAX_LINES)
    if path.suffix == ".h" and not (lines and lines[0].startswith("//")):
        found.append(f"{name}:1: a header begins with what it is for")
    if path.suffix == ".h" and "#pragma once" not in lines:
        found.append(f"{name}: #pragma once is missing")
    for number, line in enumerate(lines, 1):
        code = re.sub(r'"(\\.|[^"\\])*"', '""', line) if "--" not in line else line
        code = code.split("//")[0] if "NOLINT" not in code and "TODO" not in code else code
        for pattern, message, excused in RULES:
            window = "".join(lines[max(0, number - 4) : number])
            if re.search(pattern, code) and not any(name.startswith(e) or e in window for e in excused):
                found.append(f"{name}:{number}: {message}")
    return found


def text_problems(root: pathlib.Path) -> list[str]:
    """What one of the project's own texts says that it must not."""
    folders = (*FOLDERS, "tests", "docs", "proto", "systemd", ".ci")
    files = [p for folder in folders for p in sorted((root / folder).rglob("*")) if p.suffix in TEXT_SUFFIXES]
    return [
        f"{path.relative_to(root)}:{number}: {message}"
        for path in (root / "README.md", *files)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for pattern, message in TEXT_RULES
        if re.search(pattern, line)
    ]


def names_of(path: pathlib.Path) -> list[str]:
    """The types that a file defines outside of unnamed namespaces, with their namespaces."""
    spaces, found = [], []
    for line in path.read_text().splitlines():
        if m := re.match(r"namespace ([\w:]*) ?\{", line):
            spaces.append(m[1])
        elif line.startswith("}  // namespace"):
            spaces.pop()
        elif (m := TYPE.match(line)) and "" not in spaces:
            found.append("::".join((*spaces, m[1])))
    return found


def same_names(root: pathlib.Path, files: list[pathlib.Path]) -> list[str]:
    """Two types of one name: the linker mixes up their members, and no compiler sees both."""
    owners, found = {}, []
    for path in files:
        name = path.relative_to(root).as_posix()
        for defined in names_of(path):
            if (other := owners.setdefault(defined, name)) != name:
                found.append(f"{name}: {defined} is also defined in {other}")
    return found


def sources_of(root: pathlib.Path, folders) -> list[pathlib.Path]:
    """Every C++ file below the folders."""
    return [p for folder in folders for p in sorted((root / folder).rglob("*")) if p.suffix in (".cc", ".h")]


def main() -> int:
    """Checks the programs for everything, the tests for their size, and all texts for words."""
    root = pathlib.Path(sys.argv[1])
    files = sources_of(root, FOLDERS)
    bad = [*text_problems(root), *same_names(root, files), *(problem for path in files for problem in problems_of(root, path))]
    for path in sources_of(root, ("tests",)):
        bad += size_problem(path.relative_to(root).as_posix(), path.read_text().splitlines(), MAX_LINES)
    print("\n".join(bad) or f"style: {len(files)} files are in order")
    return 1 if bad or not files else 0


if __name__ == "__main__":
    sys.exit(main())
