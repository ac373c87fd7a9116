"""What commands print with --output json, held against its schema in docs/reference."""

import functools
import json
import subprocess

from jsonschema import Draft202012Validator

from .tools import REPOSITORY, provider_binary

REFERENCE = REPOSITORY / "docs" / "reference"
SUFFIX = ".schema.json"


def completions(*words: str) -> list:
    """What the program offers in the place of the last word."""
    answer = subprocess.run(
        [provider_binary(), "__complete", *words], check=True, capture_output=True, text=True
    ).stdout
    return [line.split("\t")[0] for line in answer.splitlines()]


def commands(*path: str) -> list:
    """Every command below path, with the words that lead to it."""
    found = []
    for name in completions(*path, ""):
        if name != "help":
            found += [(*path, name), *commands(*path, name)]
    return found


def commands_with_report() -> list:
    """Every command that has --output, as the program's own completion knows them."""
    return [" ".join(path) for path in commands() if "--output" in completions(*path, "--output")]


def schema_name(command: str) -> str:
    """The name of the schema's file: "policy openbao" has policy-openbao.schema.json."""
    return command.replace(" ", "-") + SUFFIX


@functools.cache
def schema_of(command: str) -> dict:
    """The decoded schema of a command's report."""
    return json.loads((REFERENCE / schema_name(command)).read_text())


def check_report(command: str, report: dict) -> None:
    """Raises jsonschema.ValidationError when the report is not what the schema says."""
    Draft202012Validator(schema_of(command)).validate(report)
