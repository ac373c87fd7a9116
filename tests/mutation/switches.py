"""Plants many faults at once, each behind a condition on the environment, so that one build serves
all of them. What cannot be written as a condition gets a build of its own.
"""

import re
from pathlib import Path

from .faults import Fault

VARIABLE = "BAOKMS_PLANTED_FAULT"
INCLUDE = '#include "tests/mutation/planted_fault.h"\n'
CONDITION = re.compile(r"if \((?:([^;]*;) )?([^;]*)\) \{", re.DOTALL)
# A call, an assignment, a return, or a whole block; never a declaration.
STATEMENT = re.compile(r"(return\b|if \(|\(void\)|[\w:.>\[\]-]+(\(| [+&|]?= ))")
COMMENT = re.compile(r"//[^\n]*")


def _are_statements(text: str) -> bool:
    text = COMMENT.sub("", text).strip()
    return all(
        text.count(left) == text.count(right) for left, right in ("()", "{}", "[]")
    ) and (text == "" or (text[-1] in ";}" and STATEMENT.match(text) is not None))


def _behind_condition(fault: Fault, before: str) -> str:
    """The text with both ways, or "" if there is no simple one. before is what precedes it."""
    asked = f'::baokms::PlantedFault("{fault.name}")'
    right, wrong = CONDITION.fullmatch(fault.replace.strip()), CONDITION.fullmatch(fault.by.strip())
    if right and wrong and right[1] == wrong[1]:
        declared = f"{right[1]} " if right[1] else ""
        return f"if ({declared}{asked} ? bool({wrong[2]}) : bool({right[2]})) {{"
    at_statement = COMMENT.sub("", before).rstrip()[-1:] in (";", "{", "}")
    if at_statement and _are_statements(fault.replace) and _are_statements(fault.by):
        return f"if ({asked}) {{ {fault.by}\n }} else {{ {fault.replace}\n }}\n"
    return ""


def plant(faults: list, tree: Path) -> list:
    """Plants those faults that can be asked for at run time, and returns them."""
    planted = []
    for fault in faults:
        path = tree / fault.file
        text = path.read_text()
        before, found, after = text.partition(fault.replace)
        if fault.rebuild or path.suffix not in (".cc", ".h") or fault.replace in after or not found:
            continue
        switched = _behind_condition(fault, before)
        if switched:
            text = before + switched + after
            if INCLUDE not in text:
                guard = "#pragma once\n" if path.suffix == ".h" else ""
                text = text.replace(guard, guard + INCLUDE, 1) if guard else INCLUDE + text
            path.write_text(text)
            planted.append(fault)
    return planted
