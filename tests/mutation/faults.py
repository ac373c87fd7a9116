"""The list of faults: faults.toml, read and checked."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).with_name("faults.toml")
PYTEST_FOLDERS = {"e2e": "tests/e2e", "live": "tests/redteam"}
LANES = ("unit", "hostile", "redteam", *PYTEST_FOLDERS)


class FaultListError(Exception):
    """The list is wrong, or no longer fits the tree."""


@dataclass(frozen=True)
class Fault:
    """One fault: a text that occurs once in a file, what stands there instead, and who notices."""

    name: str  # what is broken, in words with hyphens
    file: str  # path in the tree
    replace: str
    by: str
    # (a lane of ctest, "<test program> [<GoogleTest filter>]") or
    # (of PYTEST_FOLDERS, "<pytest -k>").
    noticed_by: tuple
    # Whether it needs a build of its own although it looks like one that a switch can plant.
    rebuild: bool = False

    def applied(self, tree: Path) -> str:
        """The text of the file in a tree with the fault; FaultListError when it does not fit."""
        path = tree / self.file
        text = path.read_text() if path.exists() else ""
        if text.count(self.replace) != 1:
            raise FaultListError(
                f"{self.name}: the text to replace occurs {text.count(self.replace)} times in"
                f" {self.file}; it has to occur once: adapt {LIST.name}"
            )
        return text.replace(self.replace, self.by)


def _fault(row: dict) -> Fault:
    lane, _, test = row.get("noticed_by", "").partition(": ")
    if lane not in LANES or not test:
        raise FaultListError(f"{row.get('name')}: noticed_by has to be '<lane>: <test>'")
    try:
        return Fault(**(row | {"noticed_by": (lane, test)}))
    except TypeError as error:
        raise FaultListError(f"{row.get('name')}: {error}") from error


def load(texts: list) -> list:
    """The faults whose name or file contains any of the texts, in the order of the list."""
    faults = [_fault(row) for row in tomllib.loads(LIST.read_text())["fault"]]
    names = [fault.name for fault in faults]
    if len(set(names)) != len(names):
        raise FaultListError("two faults have the same name")
    return [fault for fault in faults if any(text in fault.name or text in fault.file for text in texts)]
