"""What commands print with --output json, held against its schema in docs/reference."""

import functools
import json
import re
import subprocess

from jsonschema import Draft202012Validator

from .tools import REPOSITORY, provider_binary

REFERENCE = REPOSITORY / "docs" / "reference"
SUFFIX = ".schema.json"


def commands_with_report() -> list:
    """Every command that has --output, as the program's own completion script knows them."""
    script = subprocess.run(
        [provider_binary(), "completion", "bash"], check=True, capture_output=True, text=True
    ).stdout
    rows = re.findall(r'^ +"([a-z -]+)"\) words="(.*)" ;;$', script, re.MULTILINE)
    return [command for command, words in rows if "--output" in words.split()]


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
