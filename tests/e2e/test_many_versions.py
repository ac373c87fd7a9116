"""A key with more versions than a message between the processes once held: everything works with
the active version, and the registry can be made small again. And tokens of any length.
"""

import base64
import json

import pytest

from rig.tenant import Tenant
from rig.waits import wait_for

PLAINTEXT = b"kubernetes secret payload"
FAST_ROTATION = {"rotation": {"activationDelay": "1ms", "requireStableObservationCount": 1}}
# From version 2,049 on Encrypt was refused everywhere.
ONCE_TOO_MANY = 2049
MOST_OF_OPENBAO = 3000  # raft stores at most 1 MiB under one name
LONG_TOKEN = 8192


def restore_with_versions(tenant, latest: int) -> None:
    """Replaces the tenant's key by one with this many versions, as a restored backup: rotating as
    often takes OpenBao many minutes.
    """
    seed = f"{tenant.transit_mount}/keys/seed"
    request = tenant.openbao.request
    request("POST", seed, {"exportable": True, "allow_plaintext_backup": True})
    answer = request("GET", f"{tenant.transit_mount}/backup/seed")
    backup = json.loads(base64.b64decode(answer["data"]["backup"]))
    first = backup["policy"]["keys"]["1"]
    born = first["creation_time"] - latest
    keys = {str(n): {**first, "creation_time": born + n} for n in range(1, latest + 1)}
    backup["policy"].update(
        name=tenant.key_name,
        keys=keys,
        latest_version=latest,
        archive_version=latest,
        exportable=False,
        allow_plaintext_backup=False,
    )
    backup["archived_keys"]["keys"] = [backup["archived_keys"]["keys"][0], *keys.values()]
    text = base64.b64encode(json.dumps(backup).encode()).decode()
    path = f"{tenant.transit_mount}/restore/{tenant.key_name}"
    request("POST", path, {"backup": text, "force": True})


def run_json(provider, *arguments) -> dict:
    return json.loads(provider.run(*arguments, "--output", "json").stdout)


def apply_plan(provider, command, *arguments) -> dict:
    plan = run_json(provider, command, *arguments)
    member = "stateHash" if command == "retire-versions" else "nextStateHash"
    hashes = ["--apply", "--expected-state-hash", plan[member]]
    return run_json(provider, command, *arguments, *hashes)


def rotate(provider, version: int) -> None:
    provider.tenant.rotate()
    wait_for(
        lambda: provider.ready()[1].get("transit_key_version") == version,
        f"version {version} to be active",
    )


def records(provider) -> int:
    return provider.metrics()["openbao_kms_registry_records"]


@pytest.fixture
def many(make_provider, openbao):
    """A healthy provider whose key has almost 2,049 versions."""
    tenant = Tenant(openbao)
    restore_with_versions(tenant, ONCE_TOO_MANY - 2)
    provider = make_provider(tenant, FAST_ROTATION)
    apply_plan(provider, "recover-state")
    return provider.start_healthy()


def test_encrypt_goes_on_beyond_version_2048(many):
    with many.client() as client:
        encrypted = [client.encrypt(PLAINTEXT)]
        for version in range(ONCE_TOO_MANY - 1, ONCE_TOO_MANY + 2):
            rotate(many, version)
            encrypted.append(client.encrypt(PLAINTEXT))
        assert [client.decrypt(each) for each in encrypted] == [PLAINTEXT] * len(encrypted)
    assert records(many) == ONCE_TOO_MANY + 1
    assert many.metrics()["openbao_kms_registry_records_limit"] == 16384


def test_a_restart_takes_as_many_versions_as_openbao_keeps(make_provider, openbao):
    tenant = Tenant(openbao)
    restore_with_versions(tenant, MOST_OF_OPENBAO)
    provider = make_provider(tenant, FAST_ROTATION)
    apply_plan(provider, "recover-state")
    for _ in range(2):
        provider.start_healthy()
        with provider.client() as client:
            assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT
        assert provider.stop() == 0


def test_the_registry_is_made_small_again_as_the_rotation_guide_says(many):
    with many.client() as client:
        rotate(many, ONCE_TOO_MANY - 1)
        kept = client.encrypt(PLAINTEXT)
        rotate(many, ONCE_TOO_MANY)
        rotate(many, ONCE_TOO_MANY + 1)
    assert many.stop() == 0
    oldest = ONCE_TOO_MANY - 1
    apply_plan(many, "retire-versions", "--before-version", str(oldest))
    tenant = many.tenant
    config = f"{tenant.transit_mount}/keys/{tenant.key_name}/config"
    tenant.openbao.request("POST", config, {"min_decryption_version": oldest})
    many.start_healthy()
    assert records(many) == ONCE_TOO_MANY + 1, "retired ones count"
    assert many.stop() == 0
    state = many.folder / "state" / "key-registry.json"
    state.rename(many.folder / "key-registry.before.json")
    report = apply_plan(many, "recover-state")
    assert len(report["versions"]) == 3
    many.start_healthy()
    assert records(many) == 3
    with many.client() as client:
        assert client.decrypt(kept) == PLAINTEXT
        assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT


def test_a_token_longer_than_8192_bytes_serves(make_provider, openbao):
    tenant = Tenant(openbao)
    policies = [tenant.policy_name, *(f"{'p' * 40}{number}" for number in range(150))]
    tenant.write_role(token_type="batch", token_policies=policies)
    assert len(tenant.login()) > LONG_TOKEN
    provider = make_provider(tenant).start_healthy()
    with provider.client() as client:
        assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT
