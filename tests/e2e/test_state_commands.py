"""The operator's commands around the registry, on a real OpenBao."""

import datetime
import hashlib
import json
import os
import shutil

import pytest

from rig import processes
from rig.registry import make_legacy, registry_files
from rig.reports import check_report
from rig.waits import wait_for

PLAINTEXT = b"kubernetes secret payload"
FAST_ROTATION = {"rotation": {"activationDelay": "1ms", "requireStableObservationCount": 1}}
CHECK_FAILED, USAGE = 4, 2


def run_json(provider, *arguments, code=0) -> dict:
    """The report of a command, which has to fit its schema; its exit status has to be code."""
    done = provider.run(*arguments, "--output", "json", check=False)
    assert done.returncode == code, done.stderr
    assert (done.stderr == "") == (code == 0)
    report = json.loads(done.stdout)
    check_report(arguments[0], report)
    return report


def failure(provider, *arguments) -> str:
    """The error sentence of a command that fails its check."""
    done = provider.run(*arguments, check=False)
    assert done.returncode == CHECK_FAILED, done.stderr
    assert done.stderr.count("\n") == 1
    return done.stderr


def state_files(provider) -> dict:
    """Name to content of the registry's two files, as far as they exist."""
    return {file.name: file.read_bytes() for file in registry_files(provider) if file.exists()}


def remove_state(provider) -> None:
    for name in state_files(provider):
        (provider.folder / "state" / name).unlink()


def promoted(provider, version: int) -> bool:
    return provider.ready()[1].get("transit_key_version") == version


def rotate(provider, version: int) -> None:
    """Rotates the key and waits until the provider uses the new version."""
    provider.tenant.rotate()
    wait_for(lambda: promoted(provider, version), f"version {version} to be active")


def set_key_config(tenant, **config) -> None:
    path = f"{tenant.transit_mount}/keys/{tenant.key_name}/config"
    tenant.openbao.request("POST", path, config)


@pytest.fixture
def fresh(make_provider):
    """A provider that was never started."""
    return make_provider(changes=FAST_ROTATION)


@pytest.fixture
def rotated(fresh):
    """A stopped provider with version 1 retired and version 2 active, and a ciphertext of each."""
    fresh.start_healthy()
    with fresh.client() as client:
        first = client.encrypt(PLAINTEXT)
        rotate(fresh, 2)
        second = client.encrypt(PLAINTEXT)
    assert fresh.stop() == 0
    fresh.ciphertexts = [first, second]
    return fresh


def apply_plan(provider, command, *arguments) -> dict:
    """Plans, then applies exactly that plan."""
    plan = run_json(provider, command, *arguments)
    assert plan["applied"] is False
    hash_member = "stateHash" if command.endswith("-versions") else "nextStateHash"
    return run_json(
        provider, command, *arguments, "--apply", "--expected-state-hash", plan[hash_member]
    )


# rotation-plan and verify-rotation.


def test_rotation_plan_foresees_the_first_state_of_an_unrotated_key(fresh):
    plan = run_json(fresh, "rotation-plan")
    assert plan["name"] == "rotation-plan"
    assert plan["transitMetadataStatus"] == "pass"
    assert (plan["stateLoaded"], plan["stateCheckpointStatus"]) == (False, "absent")
    assert plan["stateBootstrapEligible"] is True
    assert (plan["activeTransitVersion"], plan["rotationState"]) == (1, "active")
    assert state_files(fresh) == {}


def test_rotation_plan_refuses_a_missing_state_after_a_rotation(fresh):
    fresh.tenant.rotate()
    plan = run_json(fresh, "rotation-plan", code=CHECK_FAILED)
    assert plan["stateBootstrapReason"] == "latest_version=2"
    assert "activeKeyIdHash" not in plan
    assert "local registry state is absent and cannot be auto-bootstrapped" in failure(
        fresh, "rotation-plan"
    )


def test_rotation_plan_agrees_with_the_running_provider(provider):
    plan = run_json(provider, "rotation-plan")
    ready = provider.ready()[1]
    assert plan["stateCheckpointStatus"] == "current"
    assert plan["activeKeyIdHash"] == ready["key_id_hash"]
    assert plan["activeTransitVersion"] == ready["transit_key_version"] == 1


def test_rotation_plan_shows_a_pending_version_and_when_it_is_promoted(make_provider):
    slow = {"rotation": {"activationDelay": "1h", "requireStableObservationCount": 1}}
    provider = make_provider(changes=slow).start_healthy()
    provider.tenant.rotate()
    before = run_json(provider, "rotation-plan")
    assert (before["rotationState"], before["pendingTransitVersion"]) == ("pending", 2)
    wait_for(
        lambda: "pendingPromotesAfter" in run_json(provider, "rotation-plan"), "a stable candidate"
    )
    plan = run_json(provider, "rotation-plan")
    due = datetime.datetime.fromisoformat(plan["pendingPromotesAfter"].replace("Z", "+00:00"))
    now = datetime.datetime.now(datetime.timezone.utc)
    assert 3000 < (due - now).total_seconds() <= 3601
    assert (plan["activeTransitVersion"], plan["latestTransitVersion"]) == (1, 2)


def test_rotation_plan_shows_what_is_on_disk_when_openbao_is_down(own_openbao, make_provider):
    from rig.tenant import Tenant

    provider = make_provider(Tenant(own_openbao)).start_healthy()
    own_openbao.kill()
    plan = run_json(provider, "rotation-plan", code=CHECK_FAILED)
    assert plan["transitMetadataStatus"] == "fail"
    assert "connection_failed" in plan["transitMetadataError"]
    assert (plan["stateLoaded"], plan["activeTransitVersion"]) == (True, 1)


def test_rotation_plan_says_when_the_login_is_refused(rotated):
    rotated.tenant.delete_role()
    plan = run_json(rotated, "rotation-plan", code=CHECK_FAILED)
    assert plan["transitMetadataStatus"] == "fail"
    assert (plan["stateLoaded"], plan["activeTransitVersion"]) == (True, 2)


def test_rotation_plan_text_is_one_fact_per_line(fresh):
    lines = fresh.run("rotation-plan").stdout.splitlines()
    assert lines[0] == "rotation-plan"
    assert "rotationState: active" in lines
    assert all(": " in line for line in lines[1:])


def test_verify_rotation_without_a_scan_has_limited_confidence(rotated):
    report = run_json(rotated, "verify-rotation")
    assert report["confidence"] == "limited"
    assert report["limitations"]


def test_a_checkpoint_without_its_state_is_refused(rotated):
    (rotated.folder / "state" / "key-registry.json").unlink()
    report = run_json(rotated, "verify-rotation", code=CHECK_FAILED)
    assert report["stateCheckpointLoaded"] is True
    assert "activeKeyIdHash" not in report
    assert "state file missing with checkpoint present" in failure(rotated, "verify-rotation")


# retire-versions and restore-versions.


def test_a_retired_version_stops_decrypting_and_a_restored_one_works_again(rotated):
    before = state_files(rotated)
    report = apply_plan(rotated, "retire-versions", "--before-version", "2")
    assert report["applied"] is True
    assert [row["transitVersion"] for row in report["removedVersions"]] == [1]
    expected = hashlib.sha256(rotated.ciphertexts[0].key_id.encode()).digest()
    assert len(expected) == 32 and report["removedVersions"][0]["keyIdHash"]
    assert state_files(rotated) != before
    rotated.start_healthy()
    with rotated.client() as client:
        with pytest.raises(Exception, match="key_id unknown"):
            client.decrypt(rotated.ciphertexts[0])
        assert client.decrypt(rotated.ciphertexts[1]) == PLAINTEXT
    assert rotated.stop() == 0
    restored = apply_plan(rotated, "restore-versions", "--versions", "1")
    assert [row["transitVersion"] for row in restored["restoredVersions"]] == [1]
    rotated.start_healthy()
    with rotated.client() as client:
        assert [client.decrypt(text) for text in rotated.ciphertexts] == [PLAINTEXT] * 2


def test_a_plan_writes_nothing_and_names_the_hash_it_comes_to(rotated):
    before = state_files(rotated)
    plan = run_json(rotated, "retire-versions", "--before-version", "2")
    assert state_files(rotated) == before
    applied = apply_plan(rotated, "retire-versions", "--before-version", "2")
    assert applied["nextStateHash"] == plan["nextStateHash"]
    assert json.loads(state_files(rotated)["key-registry.json"])["currentHash"] == (
        plan["nextStateHash"]
    )
    text = rotated.run("retire-versions", "--before-version", "2").stdout
    assert "remove: " not in text  # there is nothing left to retire


def test_a_running_provider_keeps_its_registry_to_itself(provider):
    plan = run_json(provider, "rotation-plan")
    before = state_files(provider)
    arguments = ["--apply", "--expected-state-hash", plan["stateHash"]]
    sentence = failure(provider, "restore-versions", "--versions", "1", *arguments)
    assert "locked by another process" in sentence and "stop the provider" in sentence
    assert state_files(provider) == before


def test_apply_refuses_another_registry_than_the_reviewed_one(rotated):
    before = state_files(rotated)
    other = "krs1." + "A" * 43
    arguments = ["--before-version", "2", "--apply", "--expected-state-hash", other]
    assert "--expected-state-hash" in failure(rotated, "retire-versions", *arguments)
    assert state_files(rotated) == before


def test_retire_refuses_when_a_kept_version_would_not_decrypt(rotated):
    set_key_config(rotated.tenant, min_decryption_version=2)
    assert "min_decryption_version" in failure(rotated, "rotation-plan")
    report = apply_plan(rotated, "retire-versions", "--before-version", "2")
    assert report["applied"] is True  # retiring is the way out of a minimum raised too early
    sentence = failure(rotated, "restore-versions", "--versions", "1")
    assert "min_decryption_version" in sentence


def test_apply_without_openbao_writes_nothing(own_openbao, make_provider):
    from rig.tenant import Tenant

    provider = make_provider(Tenant(own_openbao), changes=FAST_ROTATION).start_healthy()
    rotate(provider, 2)
    assert provider.stop() == 0
    plan = run_json(provider, "retire-versions", "--before-version", "2")
    before = state_files(provider)
    own_openbao.kill()
    arguments = ["--before-version", "2", "--apply", "--expected-state-hash", plan["stateHash"]]
    assert "Transit metadata could not be read" in failure(provider, "retire-versions", *arguments)
    assert state_files(provider) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["retire-versions"],
        ["retire-versions", "--before-version", "1"],
        ["retire-versions", "--before-version", "2", "--apply"],
        ["retire-versions", "--before-version", "2", "--expected-state-hash", "krs1." + "A" * 43],
        ["restore-versions", "--versions", "1,1"],
        ["export-state"],
        ["import-state"],
    ],
)
def test_missing_or_contradicting_flags_are_usage_errors(fresh, arguments):
    assert fresh.run(*arguments, check=False).returncode == USAGE


# recover-state.


def test_recover_state_brings_a_lost_registry_back(rotated):
    lost = run_json(rotated, "rotation-plan")
    remove_state(rotated)
    assert "cannot be auto-bootstrapped" in failure(rotated, "rotation-plan")
    report = apply_plan(
        rotated, "recover-state", "--expected-active-key-id-hash", lost["activeKeyIdHash"]
    )
    assert report["applied"] is True
    rows = {row["transitVersion"]: row["state"] for row in report["versions"]}
    assert rows == {1: "retired", 2: "active"}
    rotated.start_healthy()
    with rotated.client() as client:
        assert client.status().key_id == rotated.ciphertexts[1].key_id
        assert [client.decrypt(text) for text in rotated.ciphertexts] == [PLAINTEXT] * 2


def test_recover_state_goes_on_from_a_checkpoint_that_is_left(rotated):
    generation = run_json(rotated, "rotation-plan")["stateGeneration"]
    (rotated.folder / "state" / "key-registry.json").unlink()
    report = apply_plan(rotated, "recover-state")
    assert report["nextGeneration"] == generation + 1
    rotated.start_healthy()


def test_recover_state_refuses_another_active_key_than_expected(rotated):
    remove_state(rotated)
    sentence = failure(rotated, "recover-state", "--expected-active-key-id-hash", "A" * 43)
    assert "--expected-active-key-id-hash" in sentence
    assert state_files(rotated) == {}


def test_recover_state_leaves_a_usable_registry_alone(rotated):
    assert "nothing to recover" in failure(rotated, "recover-state")


def test_recover_state_writes_its_report_into_a_file(rotated, tmp_path):
    remove_state(rotated)
    target = tmp_path / "plan.json"
    arguments = ["recover-state", "--output", "json", "--output-file", str(target)]
    assert rotated.run(*arguments).stdout == ""
    assert json.loads(target.read_text())["nextStateHash"].startswith("krs1.")
    assert rotated.run(*arguments, check=False).returncode != 0  # never replaces a file


# migrate-state.


def test_migrate_state_carries_an_older_file_over(rotated):
    make_legacy(rotated)
    rotated.daemon.start()
    assert rotated.daemon.wait_exit() != 0  # it refuses the older schema
    report = apply_plan(rotated, "migrate-state")
    assert (report["applied"], report["migrationNeeded"]) == (True, True)
    rotated.start_healthy()
    with rotated.client() as client:
        assert [client.decrypt(text) for text in rotated.ciphertexts] == [PLAINTEXT] * 2
    assert rotated.stop() == 0
    again = run_json(rotated, "migrate-state")
    assert (again["applied"], again["migrationNeeded"]) == (False, False)


# export-state and import-state.


def test_a_registry_moves_to_a_node_that_lost_its_own(rotated, make_provider, tmp_path):
    exported = tmp_path / "registry.json"
    report = run_json(rotated, "export-state", "--output-file", str(exported))
    assert exported.read_bytes() == state_files(rotated)["key-registry.json"]
    other = make_provider(rotated.tenant, FAST_ROTATION, policy=False, name="other")
    plan = run_json(other, "import-state", "--input-file", str(exported))
    assert plan["nextStateHash"] == report["stateHash"]
    applied = apply_plan(other, "import-state", "--input-file", str(exported))
    assert (applied["applied"], applied["replaces"]) == (True, "nothing")
    assert state_files(other) == state_files(rotated)
    other.start_healthy()
    with other.client() as client:
        assert [client.decrypt(text) for text in rotated.ciphertexts] == [PLAINTEXT] * 2


def test_import_state_replaces_a_corrupt_registry_and_no_usable_one(rotated, tmp_path):
    exported = tmp_path / "registry.json"
    rotated.run("export-state", "--output-file", str(exported))
    arguments = ["--input-file", str(exported)]
    assert "usable registry" in failure(rotated, "import-state", *arguments)
    path = rotated.folder / "state" / "key-registry.json"
    path.write_text(path.read_text().replace('"generation"', '"genezation"'))
    report = apply_plan(rotated, "import-state", *arguments)
    assert report["replaces"] == "corrupt registry"
    rotated.start_healthy()


def test_import_state_refuses_a_changed_file_and_one_of_another_cluster(
    rotated, make_provider, tmp_path
):
    exported = tmp_path / "registry.json"
    rotated.run("export-state", "--output-file", str(exported))
    changed = tmp_path / "changed.json"
    shutil.copy(exported, changed)
    changed.write_text(changed.read_text().replace('"generation": ', '"generation": 1'))
    foreign = make_provider(changes=FAST_ROTATION, name="foreign")
    assert "exported registry" in failure(foreign, "import-state", "--input-file", str(changed))
    sentence = failure(foreign, "import-state", "--input-file", str(exported))
    assert "written for another identity" in sentence
    assert state_files(foreign) == {}


def test_no_process_outlives_a_command(fresh):
    others = {process.pid for process in processes.tree(os.getpid())}
    fresh.run("rotation-plan")
    wait_for(
        lambda: not [
            process
            for process in processes.tree(os.getpid())
            if process.pid not in others and process.name.startswith("bao-kms")
        ],
        "the command's children to end",
    )
