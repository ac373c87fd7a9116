"""Every report of a command, against its JSON Schema in docs/reference.

One provider is taken through its life once, and each command with --output is run in it with and
without success. The objects in etcd that verify-rotation counts are in tests/kubernetes.
"""

import json
import re
from typing import NamedTuple

import pytest
from jsonschema import Draft202012Validator

from rig.provider import Provider
from rig.registry import make_legacy, registry_files
from rig.reports import REFERENCE, check_report, commands_with_report, schema_name, schema_of
from rig.tenant import Tenant
from rig.waits import wait_for
from rig.workspace import Workspace

pytestmark = pytest.mark.xdist_group("reports")  # all look at what was run once
COMMANDS = commands_with_report()
OK, UNCLASSIFIED, USAGE, CONFIG, CHECK = 0, 1, 2, 3, 4
NOBODY = "http://127.0.0.1:1"
OTHER_HASH = "krs1." + "A" * 43
SLOW = {"rotation": {"activationDelay": "1h", "requireStableObservationCount": 1}}
FAST = {"rotation": {"activationDelay": "1ms"}}

NEEDED_FLAGS = {
    "retire-versions": ("--before-version", 2),
    "restore-versions": ("--versions", 1),
    "export-state": ("--output-file", "/nonexistent/file"),
    "import-state": ("--input-file", "/nonexistent/file"),
}
WITHOUT_CONFIGURATION = ("version", "probe")
# Refused while the provider runs.
WRITERS = ("retire-versions", "restore-versions", "recover-state", "migrate-state", "import-state")

# Seen only with a real etcd.
OF_A_SCAN = (
    "etcdRevision",
    "storedObjects",
    "plainObjects",
    "objects",
    "mixedResources",
    "neededTransitVersions",
    "safeMinDecryptionVersion",
)


class Run(NamedTuple):
    """One command that was run; without a report it printed nothing."""

    command: str
    arguments: tuple
    code: int
    report: dict | None


class Story:
    """Runs commands of one provider and remembers them."""

    def __init__(self, provider):
        self.provider = provider
        self.runs = []

    def run(self, command: str, *arguments, code: int = OK):
        """The report of a command that has to end with code."""
        done = self.provider.run(
            *command.split(), "--output", "json", *map(str, arguments), check=False
        )
        assert done.returncode == code, (command, arguments, done.stdout, done.stderr)
        report = json.loads(done.stdout) if done.stdout else None
        assert report is None or done.stdout == json.dumps(report, indent=2) + "\n"
        self.runs.append(Run(command, arguments, code, report))
        return report

    def apply(self, command: str, *arguments, hash_member: str) -> None:
        """Plans, then applies exactly that plan."""
        plan = self.run(command, *arguments)
        reviewed = ("--apply", "--expected-state-hash", plan[hash_member])
        assert self.run(command, *arguments, *reviewed)["applied"] is True


def before_the_first_start(story) -> None:
    state = story.provider.folder / "state"
    for command in ("version", "config", "policy openbao", "rotation-plan", "verify-rotation"):
        story.run(command)
    story.run("probe", "--socket", story.provider.socket_path, code=CHECK)
    story.run("isolation")
    story.run("isolation", "--watch", code=CHECK)
    story.run("migrate-state", code=CHECK)
    story.run("export-state", "--output-file", state / "none.json", code=CHECK)
    story.run("import-state", "--input-file", state / "none.json", code=CHECK)
    for command in ("retire-versions", "restore-versions"):
        story.run(command, *NEEDED_FLAGS[command], code=CHECK)
    story.run("pin-latch")
    (state / "key-registry.json.pin-latch").write_text("not a latch\n")
    story.run("pin-latch", "--clear")


def while_a_version_is_pending(story, exported) -> None:
    provider = story.provider.start_healthy()
    socket = ["--socket", provider.socket_path]
    story.run("probe", *socket)
    story.run("probe", *socket, "--expected-key-id", "obk2." + "A" * 43, code=CHECK)
    story.run("isolation")
    provider.tenant.rotate()
    wait_for(lambda: "pendingPromotesAfter" in story.run("rotation-plan"), "a stable candidate")
    story.run("verify-rotation")
    story.run("verify-rotation", "--scan-etcd", NOBODY, code=CHECK)
    story.run("export-state", "--output-file", exported)
    story.run("export-state", "--output-file", exported, code=CHECK)
    for command in WRITERS:
        arguments = NEEDED_FLAGS.get(command, ())
        story.run(command, *arguments, "--apply", "--expected-state-hash", OTHER_HASH, code=CHECK)
    assert provider.stop() == 0


def after_the_promotion(story) -> None:
    provider = story.provider
    provider.write_config(FAST)
    provider.start_healthy()
    wait_for(lambda: provider.ready()[1].get("transit_key_version") == 2, "version 2 to be active")
    assert provider.stop() == 0
    retire = ("retire-versions", *NEEDED_FLAGS["retire-versions"])
    restore = ("restore-versions", *NEEDED_FLAGS["restore-versions"])
    story.apply(*retire, hash_member="stateHash")
    story.run(*retire)
    story.run(*retire, "--apply", "--expected-state-hash", OTHER_HASH, code=CHECK)
    story.apply(*restore, hash_member="stateHash")
    story.run("restore-versions", "--versions", 9, code=CHECK)


def losses(story, exported) -> None:
    state, checkpoint = registry_files(story.provider)
    story.run("recover-state", code=CHECK)
    story.run("recover-state", "--output-file", exported, code=UNCLASSIFIED)
    story.run("import-state", "--input-file", exported, code=CHECK)
    state.unlink()
    story.run("verify-rotation", code=CHECK)
    story.run("import-state", "--input-file", exported)
    story.apply("recover-state", hash_member="nextStateHash")
    story.run("migrate-state")
    make_legacy(story.provider)
    story.apply("migrate-state", hash_member="nextStateHash")
    state.unlink()
    checkpoint.unlink()
    story.run("rotation-plan", code=CHECK)
    story.apply("import-state", "--input-file", exported, hash_member="nextStateHash")
    story.provider.tenant.delete_role()
    story.run("rotation-plan", code=CHECK)
    story.run("verify-rotation", code=CHECK)


def refusals(story) -> None:
    for command in COMMANDS:
        arguments = NEEDED_FLAGS.get(command, ())
        story.run(command, *arguments, "--output", "xml", code=USAGE)
        if command not in WITHOUT_CONFIGURATION:
            story.run(command, *arguments, "--config", "/nonexistent", code=CONFIG)
    provider = story.provider
    provider.write_config({"transit": {"mountPath": "a/+"}})
    story.run("policy openbao", code=UNCLASSIFIED)
    provider.write_config({"state": {"path": str(provider.folder / "gone" / "key-registry.json")}})
    story.run("pin-latch", code=CHECK)


@pytest.fixture(scope="module")
def reports_workspace():
    """The folder and the programs of this module."""
    workspace = Workspace("reports")
    yield workspace
    workspace.close()


@pytest.fixture(scope="module")
def runs(reports_workspace, openbao) -> list:
    """Everything that was run, with what it printed."""
    provider = Provider(reports_workspace, Tenant(openbao), SLOW)
    provider.install_policy()
    story = Story(provider)
    exported = provider.folder / "exported.json"
    before_the_first_start(story)
    while_a_version_is_pending(story, exported)
    after_the_promotion(story)
    losses(story, exported)
    refusals(story)
    return story.runs


def declared(schema: dict, prefix: str = "") -> set:
    """The members that a schema knows, such as "checks[].id"."""
    names = set()
    for name, member in schema.get("properties", {}).items():
        names |= {prefix + name} | declared(member.get("items", {}), f"{prefix}{name}[].")
    return names


def printed(report: dict, prefix: str = "") -> set:
    """The members that a report has, named as in declared()."""
    names = {prefix + name for name in report}
    for name, value in report.items():
        for row in value if isinstance(value, list) else []:
            names |= printed(row, f"{prefix}{name}[].") if isinstance(row, dict) else set()
    return names


def objects_in(node):
    """Every part of a schema that describes an object."""
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield node
        node = list(node.values())
    for part in node if isinstance(node, list) else []:
        yield from objects_in(part)


def documented_exit_codes() -> dict:
    """Schema file to exit codes, from the table of docs/reference/README.md."""
    text = (REFERENCE / "README.md").read_text()
    rows = re.findall(r"^\| `.*\]\((.*\.json)\) \| ([0-9, ]+) \|$", text, re.MULTILINE)
    return {name: {int(code) for code in codes.split(",")} for name, codes in rows}


def test_every_command_with_a_report_has_a_schema_and_no_schema_is_left_over():
    assert len(COMMANDS) > 10
    schemas = {schema_name(command) for command in COMMANDS}
    assert {path.name for path in REFERENCE.glob("*.json")} == schemas
    assert set(documented_exit_codes()) == schemas


@pytest.mark.parametrize("command", COMMANDS)
def test_a_schema_is_closed_and_says_what_each_member_is(command):
    schema = schema_of(command)
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$schema"]
    assert schema["title"] == f"bao-kms-provider {command} --output json"
    for part in objects_in(schema):
        assert part["additionalProperties"] is False or "properties" not in part
        assert set(part.get("required", [])) <= set(part.get("properties", {}))
        for name, member in part.get("properties", {}).items():
            assert member.get("description"), name
            assert "type" in member or "$ref" in member, name


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_command_prints_fits_its_schema(runs, command):
    own = [run for run in runs if run.command == command]
    assert OK in {run.code for run in own} and len(own) > 1
    for run in own:
        if run.report is None:
            assert run.code in (UNCLASSIFIED, USAGE, CONFIG) or "--watch" in run.arguments
        else:
            check_report(command, run.report)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_table_of_exit_codes_is_what_happens(runs, command):
    codes = {run.code for run in runs if run.command == command}
    assert codes == documented_exit_codes()[schema_name(command)]


@pytest.mark.parametrize("command", COMMANDS)
def test_no_member_of_a_schema_is_never_printed(runs, command):
    seen = set()
    for run in runs:
        if run.command == command and run.report is not None:
            seen |= printed(run.report)
    unseen = declared(schema_of(command)) - seen
    if command == "verify-rotation":
        unseen = {name for name in unseen if not name.startswith(OF_A_SCAN)}
    assert unseen == set()
