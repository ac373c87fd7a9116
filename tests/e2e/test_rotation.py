"""The Transit key is rotated under the providers: nobody notices, all nodes follow, nothing is lost."""

import threading

import grpc
import pytest

from rig.kms import KmsError, refusal
from rig.load import SteadyLoad, decrypt_all
from rig.tenant import Tenant
from rig.waits import wait_for

PLAINTEXT = b"kubernetes secret payload"

# Rotations in seconds instead of minutes; the time-outs leave room for a machine that stalls.
QUICK = {
    "openbao": {"timeout": "20s"},
    "status": {"probeInterval": "500ms", "statusMaxStaleness": "60s"},
    "rotation": {"requireStableObservationCount": 2, "activationDelay": "500ms"},
}

# A metadata read answers for 5 s: a key that is used later than that is found by every node.
CAREFUL = {**QUICK, "rotation": {"requireStableObservationCount": 2, "activationDelay": "6s"}}


def active_version(provider) -> int:
    return provider.ready()[1].get("transit_key_version", 0)


def wait_version(providers, version: int) -> None:
    wait_for(
        lambda: all(active_version(provider) == version for provider in providers),
        f"every node to use version {version}",
    )


def write_key_config(tenant, **changes) -> None:
    tenant.openbao.request(
        "POST", f"{tenant.transit_mount}/keys/{tenant.key_name}/config", changes
    )


class StatusWatch:
    """Asks one node for its Status without a pause and keeps every answer that is not ok."""

    def __init__(self, provider):
        self.bad = []
        self._provider = provider
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        with self._provider.client() as client:
            while not self._ended.wait(0.005):
                try:
                    status = client.status()
                except KmsError as error:
                    self.bad.append(str(error))
                else:
                    if not status.ok or not status.key_id:
                        self.bad.append(status)


@pytest.fixture
def tenant(openbao):
    return Tenant(openbao)


@pytest.fixture
def two_nodes(make_provider, tenant):
    """Two healthy providers with state of their own on one key."""
    nodes = [make_provider(tenant, CAREFUL, name=name) for name in ("node-a", "node-b")]
    for node in nodes:
        node.start_healthy()
    return nodes


@pytest.mark.long
def test_three_rotations_under_load_are_seen_by_nobody(two_nodes, tenant):
    node_a, node_b = two_nodes
    with StatusWatch(node_a) as watch_a, StatusWatch(node_b) as watch_b:
        with SteadyLoad(two_nodes, count=32) as load:
            for version in (2, 3, 4):
                tenant.rotate()
                wait_version(two_nodes, version)
                used = len(load.encrypted)
                wait_for(lambda: f"v{version}" in load.versions(used), "data of the version")
    assert load.failures == []
    assert load.unhealthy == 0
    assert (watch_a.bad, watch_b.bad) == ([], [])
    assert node_a.status().key_id == node_b.status().key_id

    assert load.versions() == {"v1", "v2", "v3", "v4"}
    key_ids = {entry.key_id for _, entry in load.encrypted}
    assert len(key_ids) == 4
    for node in two_nodes:
        assert decrypt_all(node, load.encrypted) == len(load.encrypted)

    for node in two_nodes:  # and after a start from what is on disk
        node.kill()
        node.start_healthy()
        assert decrypt_all(node, load.encrypted[::10]) == len(load.encrypted[::10])


def test_a_peers_fresh_key_is_found_at_once(make_provider, tenant):
    quick = make_provider(tenant, CAREFUL, name="quick-node").start_healthy()
    slow = make_provider(
        tenant,
        {"status": {"probeInterval": "1h", "statusMaxStaleness": "2h"}},
        name="slow-node",
    ).start_healthy()
    tenant.rotate()
    wait_version([quick], 2)
    with quick.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
    assert active_version(slow) == 1
    with slow.client() as client:
        assert client.decrypt(encrypted) == PLAINTEXT
        assert client.status().key_id != encrypted.key_id
    assert slow.ready()[1]["rotation_state"] == "pending"


def test_encryption_pauses_while_the_active_version_may_not_encrypt(make_provider, tenant):
    provider = make_provider(tenant, CAREFUL).start_healthy()
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        tenant.rotate()
        write_key_config(tenant, min_encryption_version=2)
        provider.wait_unhealthy()
        ready = wait_for(
            lambda: [b for _, b in [provider.ready()] if "encryption_blocked" in b["reasons"]],
            "the reason encryption_blocked",
        )[0]
        assert "min_encryption_version is 2, above the active version 1" in ready["finding"]
        assert refusal(lambda: client.encrypt(PLAINTEXT)).code == (
            grpc.StatusCode.FAILED_PRECONDITION
        )
        assert client.decrypt(encrypted) == PLAINTEXT
        provider.wait_healthy()
        assert active_version(provider) == 2
        assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT
        assert client.decrypt(encrypted) == PLAINTEXT


def test_a_minimum_raised_too_early_is_reported_and_can_be_taken_back(two_nodes, tenant):
    with two_nodes[0].client() as client:
        encrypted = client.encrypt(PLAINTEXT)
    tenant.rotate()
    wait_version(two_nodes, 2)
    write_key_config(tenant, min_decryption_version=2)
    for node in two_nodes:
        node.wait_unhealthy()
        status, ready = node.ready()
        assert status == 503
        assert "profile_invalid" in ready["reasons"]
        assert "version 1 is retained here but min_decryption_version is 2" in ready["finding"]
        findings = [r for r in node.log_events() if r["message"] == "key.finding"]
        assert ready["finding"] in [record.get("reason") for record in findings]
    write_key_config(tenant, min_decryption_version=1)
    for node in two_nodes:
        node.wait_healthy()
        with node.client() as client:
            assert client.decrypt(encrypted) == PLAINTEXT
        assert "finding" not in node.ready()[1]


def test_one_worker_alone_never_follows_a_rotation(make_provider, tenant):
    peer = make_provider(tenant, QUICK, name="peer").start_healthy()
    lonely = make_provider(
        tenant, {**QUICK, "isolation": {"workers": 1}, "bootstrap": {"graceTimeout": "1s"}}
    ).start_healthy()
    warned = [r["key"] for r in lonely.log_events() if r["message"] == "config.warning"]
    assert "isolation.workers" in warned

    tenant.rotate()
    wait_version([peer], 2)
    wait_for(
        lambda: lonely.ready()[1].get("rotation_deferred") == "second_worker_missing",
        "/ready to say what the rotation waits for",
    )
    assert lonely.status().ok
    assert active_version(lonely) == 1
    with peer.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
    with lonely.client() as client:
        error = refusal(lambda: client.decrypt(encrypted))
        assert error.code == grpc.StatusCode.UNAVAILABLE, "never NOT_FOUND: the data is good"

    lonely.stop()
    lonely.write_config({"isolation": {"workers": 2}})
    lonely.start_healthy()
    wait_version([lonely], 2)
    with lonely.client() as client:
        assert client.decrypt(encrypted) == PLAINTEXT
