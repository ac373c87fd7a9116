#!/usr/bin/env python3
"""Fails when a document or an anchor that something refers to does not exist.

usage: doc_links.py ROOT

Checked are the relative links of every Markdown page, and every `docs/PAGE.md`,
`docs/PAGE.md#anchor` or decision record (`ADR-0009`) that a source file cites. Anchors are the ones
that GitHub makes of headings. The title of a decision record begins with the number of its file.
"""
import functools
import pathlib
import re
import subprocess
import sys

SOURCES = (".cc", ".h", ".py", ".proto", ".go", ".cmake", ".txt", ".json", ".yaml", ".service", ".socket")
LINK = re.compile(r"\]\(([^()\s]+)\)|(?:src|href|srcset)=\"([^\"]+)\"")
CITATION = re.compile(r"\bdocs/[a-z0-9/_-]+\.(?:md|svg)(?:#[A-Za-z0-9_-]+)?")
DECISION = re.compile(r"\bADR-(\d{4})\b")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


def tracked(root: pathlib.Path) -> list[pathlib.Path]:
    """The files of the tree, as git has them."""
    names = subprocess.run(
        ["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard"],
        stdout=subprocess.PIPE, text=True, check=True,
    ).stdout.splitlines()
    return [root / name for name in names if (root / name).is_file()]


@functools.cache
def anchors_of(page: pathlib.Path) -> frozenset[str]:
    """The anchors that GitHub gives the headings of a page, and explicit ones."""
    text = FENCE.sub("", page.read_text())
    found: dict[str, int] = {}
    anchors = set(re.findall(r"<a id=\"([^\"]+)\"", text))
    for heading in re.findall(r"^#{1,6} +(.+?) *$", text, re.MULTILINE):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        count = found.get(slug, 0)
        found[slug] = count + 1
        anchors.add(f"{slug}-{count}" if count else slug)
    return frozenset(anchors)


def problem_of(target: pathlib.Path, anchor: str) -> str:
    """What is wrong with a reference; empty when it leads somewhere."""
    if not target.exists():
        return "no such file"
    if anchor and target.suffix == ".md" and anchor not in anchors_of(target):
        return "no such heading"
    return ""


def references_of(root: pathlib.Path, path: pathlib.Path):
    """(text as written, target, anchor) of everything that a file refers to."""
    text = path.read_text(errors="replace")
    if path.suffix == ".md":
        for match in LINK.finditer(FENCE.sub("", text)):
            link = match.group(1) or match.group(2)
            if re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = link.partition("#")
            yield link, (path.parent / name).resolve() if name else path, anchor
    elif path.suffix in SOURCES or path.name == "CMakeLists.txt":
        for match in CITATION.finditer(text):
            name, _, anchor = match.group(0).partition("#")
            yield match.group(0), root / name, anchor
        for match in DECISION.finditer(text):
            records = root.glob(f"docs/decisions/{match.group(1)}-*.md")
            yield match.group(0), next(records, root / match.group(0)), ""


def misnumbered_decisions(root: pathlib.Path) -> list[str]:
    """The decision records whose title has another number than their file, or none."""
    return [
        f"{path.relative_to(root)}: the title does not begin with the number of the file"
        for path in sorted(root.glob("docs/decisions/*.md"))
        if not path.read_text().startswith(f"# {int(path.name.partition('-')[0])}. ")
    ]


def main() -> int:
    """Checks every reference; prints the ones that lead nowhere."""
    root = pathlib.Path(sys.argv[1]).resolve()
    bad, count = misnumbered_decisions(root), 0
    for path in tracked(root):
        for written, target, anchor in references_of(root, path):
            count += 1
            if problem := problem_of(target, anchor):
                bad.append(f"{path.relative_to(root)}: {written}: {problem}")
    print("\n".join(bad) or f"doc_links: {count} references lead somewhere")
    return 1 if bad or not count else 0


if __name__ == "__main__":
    sys.exit(main())
