"""Plants many faults at once, each behind a condition on the content of a file, so that one build
serves all of them. What cannot be written as a condition gets a build of its own.
"""

import re
from pathlib import Path

from .faults import Fault

HEADER = "tests/mutation/planted_fault.h"
INCLUDE = f'#include "{HEADER}"\n'
CONDITION = re.compile(r"((?:else )?if \((?:[^;]*; )?)([^;]*)\) \{", re.DOTALL)
# A call, an assignment, a return, or a whole block; never a declaration.
STATEMENT = re.compile(r"(return\b|if \(|\(void\)|[\w:.>\[\]-]+(\(| [+&|]?= ))")
# Not of a constant, which has to have its value when it is compiled.
DECLARATION = re.compile(r"((?:const )?(?!constexpr|auto)[\w:<>]+ \w+ = )((?!BAOKMS_TRY)[^;]*);", re.DOTALL)
LABEL = re.compile(r"\s*(case [\w:]+|default):")
COMMENT = re.compile(r"//[^\n]*")


def _is_balanced(text: str) -> bool:
    depth = 0
    for character in text:
        depth += (character in "({[") - (character in ")}]")
        if depth < 0:
            return False
    return depth == 0


def _are_statements(text: str) -> bool:
    text = COMMENT.sub("", text).strip()
    return text == "" or (
        _is_balanced(text) and text[-1] in ";}" and STATEMENT.match(text) is not None
    )


def _widened(text: str, place: int, end: int) -> tuple:
    """Where the statement, or the condition, begins and ends that has this part in it."""
    begin = place
    while begin > 0 and (text[begin - 1] not in ";{}" or _is_comment(text, begin - 1)):
        begin -= 1
    depth = 0
    for at in range(begin, len(text)):
        depth += (text[at] in "({[") - (text[at] in ")}]")
        if at >= end - 1 and ((text[at] == ";" and depth == 0) or (text[at] == "{" and depth == 1)):
            break
    else:
        return place, end
    label = LABEL.match(text, begin)
    if label and label.end() <= place:
        begin = label.end()
    return begin, at + 1


def _is_comment(text: str, at: int) -> bool:
    return "//" in text[text.rfind("\n", 0, at) + 1 : at]


def _behind_condition(fault: Fault, right: str, wrong: str) -> str:
    """The text that is right, or wrong when the fault is asked for; "" if there is no simple one."""
    asked = f'::baokms::PlantedFault("{fault.name}")'
    conditions = [CONDITION.fullmatch(COMMENT.sub("", text).strip()) for text in (right, wrong)]
    if all(conditions) and conditions[0][1] == conditions[1][1]:
        right, wrong = (condition[2] for condition in conditions)
        return f"{conditions[0][1]}{asked} ? bool({wrong}) : bool({right})) {{"
    initial = [DECLARATION.fullmatch(COMMENT.sub("", text).strip()) for text in (right, wrong)]
    if all(initial) and initial[0][1] == initial[1][1] and _is_balanced(right):
        right, wrong = (declaration[2] for declaration in initial)
        return f"{initial[0][1]}{asked} ? ({wrong}) : ({right});"
    if _are_statements(right) and _are_statements(wrong):
        return f"if ({asked}) {{ {wrong}\n }} else {{ {right}\n }}\n"
    return ""


def asked_file(tree: Path) -> Path:
    """The file with the name of the fault that the programs of this tree shall have."""
    return tree / "build" / "asked_fault"


def ask(tree: Path, name: str) -> None:
    """From now on the programs of the tree start with this fault; with none if name is ""."""
    asked_file(tree).write_text(name)


def plant(faults: list, tree: Path) -> list:
    """Plants those faults that can be asked for at run time, and returns them."""
    planted = []
    for fault in faults:
        path = tree / fault.file
        text = path.read_text()
        if fault.rebuild or path.suffix not in (".cc", ".h") or text.count(fault.replace) != 1:
            continue
        place = text.index(fault.replace)
        begin, end = _widened(text, place, place + len(fault.replace.rstrip()))
        wrong = text[begin:place] + fault.by + text[place + len(fault.replace) : end]
        switched = _behind_condition(fault, text[begin:end], wrong)
        if switched:
            text = text[:begin] + "\n" + switched + text[end:]
            if INCLUDE not in text:
                guard = "#pragma once\n" if path.suffix == ".h" else ""
                text = text.replace(guard, guard + INCLUDE, 1) if guard else INCLUDE + text
            path.write_text(text)
            planted.append(fault)
    header = tree / HEADER
    header.write_text(header.read_text().replace("@FILE@", str(asked_file(tree))))
    return planted
