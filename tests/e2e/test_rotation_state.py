"""Rotations while the state directory is full, read-only, or the supervisor is killed: the registry
never lies, and what it could not write is made up for.
"""

import json
import os
import random
import subprocess
import time
from pathlib import Path

import grpc
import pytest

from rig.kms import KmsError, refusal
from rig.load import decrypt_all
from rig.tenant import Tenant
from rig.waits import wait_for

PLAINTEXT = b"kubernetes secret payload"
KILLS = 200
ROTATE_EVERY = 10  # kills
QUICK = {
    "openbao": {"timeout": "20s"},
    "auth": {"loginBudgetPerMinute": 600},
    "status": {"probeInterval": "200ms", "statusMaxStaleness": "60s"},
    "rotation": {"requireStableObservationCount": 2, "activationDelay": "50ms"},
}
# Long enough to do something to the disk between a stable candidate and its promotion.
SLOW_PROMOTION = {
    **QUICK,
    "rotation": {"requireStableObservationCount": 3, "activationDelay": "3s"},
}


def wait_version(provider, version: int) -> None:
    wait_for(
        lambda: provider.ready()[1].get("transit_key_version") == version,
        f"version {version} to be active",
    )


def wait_ready(provider, condition, what: str) -> dict:
    return wait_for(lambda: [b for _, b in [provider.ready()] if condition(b)], what)[0]


def state_of(provider) -> dict:
    return json.loads(Path(provider.config["state"]["path"]).read_text())


class SmallDisk:
    """A file system of its own that holds little, and can be filled and emptied."""

    def __init__(self, workspace):
        self.path = workspace.folder("small-disk")
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", self.path], check=True
        )
        self._filler = self.path / "filler"

    def fill(self) -> None:
        """Takes every free block."""
        with open(self._filler, "ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass  # full

    def empty(self) -> None:
        """Gives the space back."""
        self._filler.unlink()

    def close(self) -> None:
        """Unmounts it."""
        subprocess.run(["umount", "--lazy", self.path], check=True)


@pytest.fixture
def disk(workspace):
    return workspace.adopt(SmallDisk(workspace))


@pytest.fixture
def tenant(openbao):
    return Tenant(openbao)


def on_disk(disk, **changes) -> dict:
    return {**SLOW_PROMOTION, "state": {"path": str(disk.path / "key-registry.json")}, **changes}


def test_a_new_version_that_cannot_be_saved_is_not_used_and_heals(make_provider, tenant, disk):
    provider = make_provider(tenant, on_disk(disk)).start_healthy()
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        before = state_of(provider)
        disk.fill()
        tenant.rotate()
        wait_ready(provider, lambda b: "state_save_failed" in b["reasons"], "a failed save")
        assert refusal(lambda: client.encrypt(PLAINTEXT)).code == (
            grpc.StatusCode.FAILED_PRECONDITION
        )
        assert client.decrypt(encrypted) == PLAINTEXT
        assert state_of(provider) == before

        provider.kill()  # a start on a full disk still serves what is there
        provider.start()
        with provider.client() as again:
            wait_for(
                lambda: again.decrypt(encrypted) == PLAINTEXT, "Decrypt", ignoring=(KmsError,)
            )
        disk.empty()
        wait_version(provider, 2)
        provider.wait_healthy()
    with provider.client() as client:
        assert client.decrypt(encrypted) == PLAINTEXT
        assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT


def test_counting_that_cannot_be_saved_is_only_reported(make_provider, tenant, disk):
    changes = {"status": {"probeInterval": "2s", "statusMaxStaleness": "60s"}}
    provider = make_provider(tenant, on_disk(disk, **changes)).start_healthy()
    tenant.rotate()
    wait_ready(provider, lambda b: b["rotation_state"] == "pending", "the pending version")
    disk.fill()
    ready = wait_ready(provider, lambda b: b.get("persistence_degraded"), "the degraded flag")
    assert ready["reasons"] == []
    assert ready["rotation_deferred"] == "save_unfinished"
    with provider.client() as client:
        assert client.status().ok
        assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT
    disk.empty()
    wait_version(provider, 2)
    ready = wait_ready(provider, lambda b: b["status"] == "ok", "Status ok")
    assert "persistence_degraded" not in ready


def test_a_directory_that_turns_read_only_stops_rotation_but_not_decryption(make_provider, tenant):
    provider = make_provider(tenant, SLOW_PROMOTION).start_healthy()
    folder = Path(provider.config["state"]["path"]).parent
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        tenant.rotate()
        wait_ready(provider, lambda b: b["rotation_state"] == "pending", "the pending version")
        wait_for(
            lambda: state_of(provider)["snapshots"][1]["stableObservationCount"] == 3,
            "a stable candidate",
            ignoring=(KeyError,),
        )
        folder.chmod(0o500)  # the provider has no capability to pass over it
        wait_ready(provider, lambda b: "state_save_failed" in b["reasons"], "a failed promotion")
        assert client.decrypt(encrypted) == PLAINTEXT
        assert state_of(provider)["snapshots"][0]["transitVersion"] == 1
        folder.chmod(0o700)
        wait_version(provider, 2)
        provider.wait_healthy()
        assert client.decrypt(encrypted) == PLAINTEXT


def test_a_start_with_a_read_only_state_says_why_it_refuses(make_provider, tenant, disk):
    provider = make_provider(tenant, on_disk(disk)).start_healthy()
    provider.stop()
    subprocess.run(["mount", "-o", "remount,ro", disk.path], check=True)
    provider.daemon.start()
    assert provider.daemon.wait_exit() == 5
    assert "Read-only file system" in provider.daemon.tail()
    subprocess.run(["mount", "-o", "remount,rw", disk.path], check=True)
    provider.start_healthy()


def test_a_lost_registry_of_a_rotated_key_is_never_guessed(make_provider, tenant):
    provider = make_provider(tenant, QUICK).start_healthy()
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
    tenant.rotate()
    wait_version(provider, 2)
    provider.kill()
    state = Path(provider.config["state"]["path"])
    checkpoint = Path(f"{state}.checkpoint")
    kept = {path: path.read_text() for path in (state, checkpoint)}

    state.unlink()
    provider.daemon.start()
    assert provider.daemon.wait_exit() == 5
    assert "does not fit its checkpoint" in provider.daemon.tail()

    checkpoint.unlink()
    provider.start()
    body = wait_ready(provider, lambda b: b.get("finding"), "the finding")
    assert "state_unavailable" in body["reasons"]
    assert "the key was rotated (latest version 2)" in body["finding"]
    with provider.client() as client:
        assert not client.status().ok
        error = refusal(lambda: client.decrypt(encrypted))
        assert (error.code, error.text) == (
            grpc.StatusCode.UNAVAILABLE,
            "key metadata refresh failed (temporary)",
        )
    assert not state.exists() and not checkpoint.exists()
    provider.kill()

    for path, text in kept.items():
        path.touch(mode=0o600)
        path.write_text(text)
    checkpoint.unlink()  # alone, it is made again
    provider.start_healthy()
    assert checkpoint.read_text() == kept[checkpoint]
    assert decrypt_all(provider, [(PLAINTEXT, encrypted)]) == 1


class Invariants:
    """What must hold of the two files after any death: parsed anew, with no code of the product."""

    def __init__(self, provider):
        self._state_path = Path(provider.config["state"]["path"])
        self._generation = self._active = 0
        self._known = set()

    def check(self) -> dict:
        """Reads both files as a start would find them."""
        state = json.loads(self._state_path.read_text())
        checkpoint_path = Path(f"{self._state_path}.checkpoint")
        if checkpoint_path.exists():
            checkpoint = json.loads(checkpoint_path.read_text())
            names = (checkpoint["generation"], checkpoint["currentHash"])
            assert names in (
                (state["generation"], state["currentHash"]),
                (state["generation"] - 1, state.get("previousHash")),
            )
        assert state["generation"] >= self._generation
        active = [s for s in state["snapshots"] if s["state"] == "active"]
        assert [s["kubernetesKeyId"] for s in active] == [state["activeKeyId"]]
        assert active[0]["transitVersion"] >= self._active
        decrypts = {
            s["kubernetesKeyId"]
            for s in state["snapshots"]
            if s["state"] in ("active", "pending", "retired")
        }
        assert decrypts >= self._known
        self._generation, self._active = state["generation"], active[0]["transitVersion"]
        self._known = decrypts
        return state


def live_and_die(provider, dice: random.Random, encrypted: list) -> None:
    """Starts the provider, uses it until a random moment, and kills the supervisor."""
    provider.start()
    end = time.monotonic() + dice.random() * 0.4
    with provider.client() as client:
        while time.monotonic() < end:
            try:
                encrypted.append((PLAINTEXT, client.encrypt(PLAINTEXT)))
            except KmsError as error:
                assert error.code == grpc.StatusCode.FAILED_PRECONDITION, error
            time.sleep(0.02)
    provider.daemon.kill()  # the next start does not wait for the children of this one to end


@pytest.mark.long
def test_200_kills_at_random_moments_of_rotations_lose_nothing(make_provider, tenant):
    seed = int(os.environ.get("BAOKMS_SEED", random.randrange(1 << 32)))
    print(f"BAOKMS_SEED={seed}")
    dice = random.Random(seed)
    provider = make_provider(tenant, QUICK).start_healthy()
    provider.kill()
    invariants, encrypted = Invariants(provider), []
    for number in range(KILLS):
        if number % ROTATE_EVERY == 0:
            tenant.rotate()
        live_and_die(provider, dice, encrypted)
        state = invariants.check()
        shown = {entry.key_id for _, entry in encrypted}
        assert shown <= {s["kubernetesKeyId"] for s in state["snapshots"]}
    provider.start_healthy()
    wait_version(provider, 1 + KILLS // ROTATE_EVERY)
    assert len({entry.key_id for _, entry in encrypted}) > 3, "the kills must hit rotations"
    assert decrypt_all(provider, encrypted) == len(encrypted)
