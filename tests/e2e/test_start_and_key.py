"""What the provider finds at its start or on its way: files that were changed, a key that must not be
used, certificates and addresses that do not work, peers that may not connect.
"""

import json
import os

import grpc
import pytest

from rig.https_proxy import HttpsProxy
from rig.kms import refusal
from rig.pki import DAY, Authority
from rig.tcp_proxy import Mode
from rig.waits import wait_for

PLAINTEXT = b"kubernetes secret payload"


def state_file(provider):
    return provider.folder / "state" / "key-registry.json"


def corrupt(provider) -> None:
    path = state_file(provider)
    state = json.loads(path.read_text())
    state["snapshots"][0]["transitVersionCreatedAtUnix"] += 1
    path.write_text(json.dumps(state))


def lose(provider) -> None:
    state_file(provider).unlink()


def truncate(provider) -> None:
    path = state_file(provider)
    path.write_text(path.read_text()[:-20])


def roll_back(provider) -> None:
    """The checkpoint then says that a later state was written."""
    path = state_file(provider)
    checkpoint = path.with_name(path.name + ".checkpoint")
    content = json.loads(checkpoint.read_text())
    content["generation"] += 1
    checkpoint.write_text(json.dumps(content))


@pytest.mark.parametrize("damage", [corrupt, truncate, lose, roll_back])
def test_a_registry_that_is_not_the_last_one_ends_the_start_with_exit_5(provider, damage):
    assert provider.stop() == 0
    before = state_file(provider).read_bytes()
    damage(provider)
    damaged = state_file(provider).exists() and state_file(provider).read_bytes()
    result = provider.run("serve", check=False)
    assert result.returncode == 5
    assert "registry" in result.stderr or "state" in result.stderr
    assert damaged == (state_file(provider).exists() and state_file(provider).read_bytes())
    assert not provider.socket_path.exists()
    if damage is corrupt:
        state_file(provider).write_bytes(before)
        provider.start_healthy()


def test_an_expired_server_certificate_is_never_accepted(make_provider, workspace, openbao):
    pair = openbao.authority.issue("expired", [openbao.server_name, "127.0.0.1"], valid_for=-DAY)
    proxy = workspace.adopt(HttpsProxy(openbao, pair))
    provider = make_provider(changes={"openbao": {"address": proxy.address}}).start()
    wait_for(lambda: "tls_failed" in provider.get("/ready")[1], "the class tls_failed in /ready")
    assert not proxy.seen()


def test_a_ca_that_the_system_trusts_is_not_enough(make_provider, workspace):
    foreign = Authority(workspace.root / "foreign-ca")
    provider = make_provider(changes={"openbao": {"caCertFile": str(foreign.cert)}})
    provider.daemon.env = {"SSL_CERT_FILE": str(provider.tenant.openbao.ca_file)}
    provider.start()
    wait_for(lambda: "tls_failed" in provider.get("/ready")[1], "the class tls_failed in /ready")


def test_a_key_of_another_type_is_not_used(make_provider):
    provider = make_provider()
    tenant = provider.tenant
    other = f"{tenant.key_name}-chacha"
    tenant.openbao.request(
        "POST", f"{tenant.transit_mount}/keys/{other}", {"type": "chacha20-poly1305"}
    )
    provider.write_config({"transit": {"keyName": other}})
    provider.install_policy()
    provider.start()
    wait_for(lambda: "profile_invalid" in provider.ready()[1]["reasons"], "the finding in /ready")
    with provider.client() as client:
        assert not client.status().ok
        assert refusal(lambda: client.encrypt(PLAINTEXT)).code == (
            grpc.StatusCode.FAILED_PRECONDITION
        )
    assert not state_file(provider).exists()
    assert not tenant.transit_requests("encrypt")


def test_a_deleted_key_makes_the_provider_unhealthy_and_is_never_made_again(provider, kms):
    encrypted = kms.encrypt(PLAINTEXT)
    tenant = provider.tenant
    key = f"{tenant.transit_mount}/keys/{tenant.key_name}"
    tenant.openbao.request("POST", f"{key}/config", {"deletion_allowed": True})
    tenant.openbao.request("DELETE", key)
    provider.wait_unhealthy()
    assert "metadata_read_failed" in provider.ready()[1]["reasons"]
    assert refusal(lambda: kms.encrypt(PLAINTEXT)).code == grpc.StatusCode.FAILED_PRECONDITION
    assert refusal(lambda: kms.decrypt(encrypted)).code in (
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
    )
    with pytest.raises(Exception, match="404"):
        tenant.openbao.request("GET", key)


def test_the_next_address_serves_when_the_first_one_does_not(make_provider, tcp_proxy, openbao):
    provider = make_provider(
        changes={
            "openbao": {
                "address": f"https://127.0.0.1:{tcp_proxy.port}",
                "additionalAddresses": [openbao.address],
            }
        }
    ).start_healthy()
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        tcp_proxy.set_mode(Mode.REFUSE)
        for _ in range(20):
            assert client.decrypt(encrypted) == PLAINTEXT
        assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT
    provider.wait_healthy()


def test_a_start_with_only_the_last_address_up_becomes_healthy(make_provider, tcp_proxy, openbao):
    tcp_proxy.set_mode(Mode.REFUSE)
    dead = f"https://127.0.0.1:{tcp_proxy.port}"
    changes = {"openbao": {"address": dead, "additionalAddresses": [openbao.address]}}
    make_provider(changes=changes).start_healthy()


def connections(provider) -> set:
    """What became of connections, and who made them, as far as it is in the log already."""
    events = [r for r in provider.log_events() if r["message"] == "kms.connection"]
    return {(r["status"], r["peer_uid"]) for r in events}


@pytest.mark.parametrize("peers", [{"uids": [4321]}, {"gids": [4321]}])
def test_a_peer_that_is_not_allowed_is_turned_away(make_provider, peers):
    provider = make_provider(changes={"server": {"allowedPeers": peers}})
    provider.daemon.start()
    wait_for(lambda: provider.get("/ready")[0] == 200, "the provider to be ready")
    with provider.client() as client:
        assert refusal(lambda: client.status(timeout=5)).code in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.DEADLINE_EXCEEDED,
        )
    wait_for(lambda: connections(provider), "the record of the connection")
    assert connections(provider) == {("not_allowed", os.getuid())}


@pytest.mark.parametrize("peers", [{"uids": [os.getuid()]}, {"gids": [os.getgid()]}])
def test_a_peer_that_is_allowed_is_served(make_provider, peers):
    provider = make_provider(changes={"server": {"allowedPeers": peers}}).start_healthy()
    with provider.client() as client:
        assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT
