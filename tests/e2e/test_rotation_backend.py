"""Rotations while OpenBao loses its leader, or comes back from an older snapshot."""

import grpc
import pytest

from rig.cluster import RaftCluster
from rig.kms import KmsError, refusal
from rig.load import SteadyLoad, decrypt_all
from rig.tenant import KEY_TYPE, Tenant
from rig.waits import wait_for

PLAINTEXT = b"kubernetes secret payload"
QUICK = {
    "status": {"probeInterval": "500ms", "statusMaxStaleness": "120s"},
    "rotation": {"requireStableObservationCount": 2, "activationDelay": "6s"},
}
TEMPORARY = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}


def wait_version(providers, version: int) -> None:
    wait_for(
        lambda: all(p.ready()[1].get("transit_key_version") == version for p in providers),
        f"every node to use version {version}",
        deadline=120.0,
    )


@pytest.fixture
def cluster(workspace):
    return RaftCluster(workspace).start()


def test_the_loss_of_the_raft_leader_delays_a_rotation_and_spoils_nothing(cluster, make_provider):
    tenant = Tenant(cluster)
    changes = {**QUICK, "openbao": {"additionalAddresses": cluster.additional_addresses}}
    nodes = [make_provider(tenant, changes, name=name) for name in ("node-a", "node-b")]
    for node in nodes:
        node.start_healthy()
    with SteadyLoad(nodes, count=16, pace=0.2) as load:
        wait_for(lambda: len(load.encrypted) > 20, "data of version 1")
        tenant.rotate()
        for node in nodes:
            wait_for(
                lambda: node.ready()[1]["rotation_state"] == "pending", "the pending version"
            )
        assert load.failures == []
        leader = cluster.leader()
        leader.kill()
        assert cluster.leader() is not leader
        wait_version(nodes, 2)
        used = len(load.encrypted)
        wait_for(lambda: "v2" in load.versions(used), "data of version 2")
    assert {failure.code for failure in load.failures} <= TEMPORARY
    assert all(failure.text.endswith(" (temporary)") for failure in load.failures)
    assert load.unhealthy == 0, "transport failures keep the last good Status"
    assert nodes[0].status().key_id == nodes[1].status().key_id
    assert load.versions() == {"v1", "v2"}
    cluster.restart(leader)
    for node in nodes:
        node.wait_healthy()
        assert decrypt_all(node, load.encrypted) == len(load.encrypted)


def test_a_snapshot_from_before_the_rotation_is_refused_in_plain_words(own_openbao, make_provider):
    tenant = Tenant(own_openbao)
    provider = make_provider(tenant, QUICK).start_healthy()
    with provider.client() as client:
        old = client.encrypt(PLAINTEXT)
        before = own_openbao.snapshot()
        tenant.rotate()
        wait_version([provider], 2)
        new = client.encrypt(PLAINTEXT)
        after = own_openbao.snapshot()

        own_openbao.restore(before)
        body = wait_for(
            lambda: [b for _, b in [provider.ready()] if "version_rollback" in b["reasons"]],
            "the reason version_rollback",
        )[0]
        assert "shows version 1 of the key as its latest" in body["finding"]
        assert "this node has used version 2" in body["finding"]
        assert "restored from a snapshot older than the rotation" in body["finding"]
        assert body["finding"] in [
            record.get("reason")
            for record in provider.log_events()
            if record["message"] == "key.finding"
        ]
        assert not client.status().ok
        error = refusal(lambda: client.encrypt(PLAINTEXT))
        assert error.code == grpc.StatusCode.FAILED_PRECONDITION
        assert client.decrypt(old) == PLAINTEXT
        assert refusal(lambda: client.decrypt(new)).code == grpc.StatusCode.INVALID_ARGUMENT

        provider.kill()  # a start finds the same
        provider.start()
    with provider.client() as client:
        wait_for(lambda: client.decrypt(old) == PLAINTEXT, "Decrypt", ignoring=(KmsError,))
        wait_for(
            lambda: "version_rollback" in provider.ready()[1]["reasons"], "the same after a start"
        )

        tenant.rotate()  # does not help: this version 2 is another key
        body = wait_for(
            lambda: [b for _, b in [provider.ready()] if "profile_invalid" in b["reasons"]],
            "the reason profile_invalid",
        )[0]
        assert "version 2 was created at another time" in body["finding"]
        assert not client.status().ok
        assert client.decrypt(old) == PLAINTEXT

        own_openbao.restore(after)  # the right snapshot does
        provider.wait_healthy()
        assert client.decrypt(old) == PLAINTEXT
        assert client.decrypt(new) == PLAINTEXT
        assert client.encrypt(PLAINTEXT).key_id == new.key_id


def test_a_key_that_is_deleted_and_made_anew_is_another_key(own_openbao, make_provider):
    tenant = Tenant(own_openbao)
    provider = make_provider(tenant, QUICK).start_healthy()
    key = f"{tenant.transit_mount}/keys/{tenant.key_name}"
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        own_openbao.request("POST", f"{key}/config", {"deletion_allowed": True})
        wait_for(
            lambda: "key deletion is allowed" in provider.ready()[1].get("finding", ""),
            "the finding",
        )
        assert not client.status().ok
        assert client.decrypt(encrypted) == PLAINTEXT
        own_openbao.request("DELETE", key)
        wait_for(
            lambda: "metadata_read_failed" in provider.ready()[1]["reasons"], "a failed read"
        )
        lost = refusal(lambda: client.decrypt(encrypted))
        assert (lost.code, lost.text) == (grpc.StatusCode.INVALID_ARGUMENT, "transit decrypt failed")

        own_openbao.request("POST", key, {"type": KEY_TYPE})
        wait_for(
            lambda: "it is another key" in provider.ready()[1].get("finding", ""), "the finding"
        )
        assert not client.status().ok
        assert refusal(lambda: client.encrypt(PLAINTEXT)).code == (
            grpc.StatusCode.FAILED_PRECONDITION
        )
