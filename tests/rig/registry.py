"""The two files of a provider's key registry, as tests look at them and change them."""

import base64
import hashlib
import json

LEGACY_SCHEMA = "keyregistry.openbao-kms/v1alpha1"


def registry_files(provider) -> tuple:
    """The paths of the state file and its checkpoint; they need not exist."""
    path = provider.folder / "state" / "key-registry.json"
    return path, path.with_name(path.name + ".checkpoint")


def legacy_of(text: str) -> str:
    """The same registry as a file of schema v1alpha1."""
    state = json.loads(text)
    ordered = {"schemaVersion": LEGACY_SCHEMA, "generation": state["generation"]}
    if state.get("previousHash"):
        ordered["previousHash"] = state["previousHash"]
    body = {"activeKeyId": state["activeKeyId"], "snapshots": state["snapshots"]}
    compact = json.dumps({**ordered, **body}, separators=(",", ":"), ensure_ascii=False)
    digest = base64.urlsafe_b64encode(hashlib.sha256(compact.encode()).digest())
    current = "krs1." + digest.rstrip(b"=").decode()
    return json.dumps({**ordered, "currentHash": current, **body}, indent=2) + "\n"


def make_legacy(provider) -> None:
    """Turns a stopped provider's registry into one of schema v1alpha1."""
    path, checkpoint = registry_files(provider)
    legacy = legacy_of(path.read_text())
    path.write_text(legacy)
    content = json.loads(checkpoint.read_text())
    content["currentHash"] = json.loads(legacy)["currentHash"]
    checkpoint.write_text(json.dumps(content, indent=2) + "\n")
