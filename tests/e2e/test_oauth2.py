"""JWTs from a real Keycloak, and what happens when it, or the client secret, is not as it should be.
"""

import json
import os
import signal
import time

import grpc
import pytest

from rig import faults
from rig.connect_proxy import ConnectProxy
from rig.https_proxy import HttpsProxy
from rig.keycloak import OTHER_NAME, keycloak_tenant, oauth2_changes
from rig.kms import KmsError
from rig.load import SteadyLoad
from rig.provider import WORKER
from rig.tenant import Tenant
from rig.waits import wait_for

WORKERS = 2
PLAINTEXT = b"kubernetes secret payload"
OUTAGE_SECONDS = int(os.environ.get("BAOKMS_OUTAGE_SECONDS", "120"))
KIB = 1024
NO_TOKEN = (grpc.StatusCode.UNAUTHENTICATED, "transit authentication failed (temporary)")
HTML = {"Content-Type": "text/html"}
TOKEN = {"access_token": "e30.e30.AAAA", "token_type": "Bearer", "expires_in": 60}


def body(**changes) -> bytes:
    return json.dumps({**TOKEN, **changes}).encode()


ANSWERS = {
    "another content type": (faults.answer(200, headers=HTML, body=body()), "oauth2_response"),
    "a body over the limit": (faults.oversized(1024 * KIB + 1), "oauth2_response"),
    "half a JSON text": (faults.answer(200, body=body()[:-5]), "oauth2_response"),
    "a member twice": (
        faults.answer(200, body=b'{"access_token":"a","access_token":"b","token_type":"bearer"}'),
        "oauth2_response",
    ),
    "another token type": (faults.answer(200, body=body(token_type="mac")), "oauth2_response"),
    "no token": (faults.answer(200, body=body(access_token="")), "oauth2_response"),
    "a lifetime of 0": (faults.answer(200, body=body(expires_in=0)), "oauth2_response"),
    "an opaque token": (faults.answer(200, body=body(access_token="opaque")), "jwt_invalid"),
    "400": (faults.answer(400, body=b'{"error":"invalid_scope"}'), "oauth2_rejected"),
    "401": (faults.answer(401, body=b'{"error":"invalid_client"}'), "oauth2_rejected"),
    "a redirect": (faults.redirect(), "oauth2_rejected"),
    "429": (faults.answer(429), "oauth2_unavailable"),
    "500 with a long text": (faults.answer(500, body=b"x" * 2048 * KIB), "oauth2_unavailable"),
    "503": (faults.answer(503), "oauth2_unavailable"),
    "a reset": (faults.connection_reset(), "oauth2_unavailable"),
    "a body cut short": (
        lambda handler: handler.send(faults.HttpAnswer(200, faults.JSON, body()), length=4096),
        "oauth2_unavailable",
    ),
}


def kill_workers(provider) -> None:
    """Makes the agent log in again, once per worker."""
    old = provider.pids(WORKER)
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(provider.pids(WORKER) - old) == WORKERS, "new workers")


def words(provider, event: str) -> list:
    return [e["status"] for e in provider.log_events() if e["message"] == event]


def complains(provider, reason: str) -> bool:
    """Whether the last look at the credential ended with reason."""
    records = [e for e in provider.log_events() if e["message"] == "auth.credential"]
    return records[-1:] != [] and records[-1].get("reason") == reason


def decrypts(client, encrypted) -> bool:
    return client.decrypt(encrypted) == PLAINTEXT


@pytest.fixture
def oauth2_provider(openbao, keycloak, make_provider):
    """A healthy provider that logs in through Keycloak."""
    tenant = keycloak_tenant(openbao, keycloak)
    return make_provider(tenant, changes=oauth2_changes(keycloak)).start_healthy()


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_oauth2_grants_log_workers_in(openbao, keycloak, make_provider, method):
    tenant = keycloak_tenant(openbao, keycloak)
    changes = oauth2_changes(keycloak, authMethod=method, scopes=["profile", "email"])
    provider = make_provider(tenant, changes=changes).start_healthy()
    with provider.client() as client:
        assert decrypts(client, client.encrypt(PLAINTEXT))
    assert provider.credential_word() == "ok"
    assert "jwt_ends_in_s" not in provider.ready()[1]["auth"]  # each login has another one


def test_oauth2_client_secret_rotation_is_seen_and_checked_at_once(keycloak, oauth2_provider):
    provider = oauth2_provider
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        fresh = keycloak.rotate_secret()
        try:
            keycloak.write_secret("mistyped")
            wait_for(lambda: provider.credential_word() == "oauth2_rejected", "the refusal")
            assert decrypts(client, encrypted)
        finally:
            keycloak.write_secret(fresh)
        wait_for(lambda: provider.credential_word() == "ok", "the new secret to be seen")
        kill_workers(provider)
        wait_for(lambda: decrypts(client, encrypted), "new logins", ignoring=(KmsError,))


def test_oauth2_client_secret_files_that_others_may_read_are_refused(
    openbao, keycloak, make_provider
):
    provider = make_provider(keycloak_tenant(openbao, keycloak), changes=oauth2_changes(keycloak))
    secret = provider.folder / "secret"
    secret.write_text(keycloak.secret_file.read_text())
    secret.chmod(0o644)
    provider.write_config({"auth": {"jwt": {"oauth2": {"clientSecretFile": str(secret)}}}})
    provider.start()
    wait_for(lambda: provider.credential_word() == "oauth2_credential", "the refusal")
    reason = (
        "unsafe_permissions: auth.jwt.oauth2.clientSecretFile: mode 0644, at most 0640 is allowed; "
        "run chmod 0640 FILE"
    )
    wait_for(lambda: complains(provider, reason), "the reason")
    with provider.client() as client, pytest.raises(KmsError) as raised:
        client.encrypt(PLAINTEXT)
    assert raised.value.code == grpc.StatusCode.FAILED_PRECONDITION
    secret.chmod(0o440)
    provider.wait_healthy()


def test_oauth2_client_secret_may_come_from_systemd(openbao, keycloak, make_provider):
    provider = make_provider(keycloak_tenant(openbao, keycloak), changes=oauth2_changes(keycloak))
    path = provider.load_credential("client-secret", keycloak.secret_file.read_text())
    provider.write_config({"auth": {"jwt": {"oauth2": {"clientSecretFile": path}}}})
    provider.start_healthy()
    with provider.client() as client:
        assert decrypts(client, client.encrypt(PLAINTEXT))


def test_oauth2_without_a_ca_file_trusts_the_systems_authorities_alone(
    openbao, keycloak, make_provider
):
    provider = make_provider(
        keycloak_tenant(openbao, keycloak), changes=oauth2_changes(keycloak, caCertFile=None)
    )
    provider.start()
    wait_for(lambda: provider.credential_word() == "oauth2_unavailable", "the refusal")
    wait_for(lambda: complains(provider, "tls_failed"), "the reason")


def test_oauth2_without_a_ca_file_trusts_an_authority_of_the_system(
    openbao, keycloak, make_provider
):
    provider = make_provider(
        keycloak_tenant(openbao, keycloak), changes=oauth2_changes(keycloak, caCertFile=None)
    )
    provider.replace_system_authorities(keycloak.ca_file)
    provider.start_healthy()
    with provider.client() as client:
        assert decrypts(client, client.encrypt(PLAINTEXT))


def test_oauth2_issuer_key_rollover_is_followed(keycloak, oauth2_provider):
    with oauth2_provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        keycloak.roll_key()
        kill_workers(oauth2_provider)
        wait_for(lambda: decrypts(client, encrypted), "new logins", ignoring=(KmsError,))


@pytest.mark.timeout(OUTAGE_SECONDS + 600)  # Keycloak starts twice
def test_oauth2_outage_matters_only_without_a_token_and_heals(openbao, keycloak, make_provider):
    living = make_provider(
        keycloak_tenant(openbao, keycloak), changes=oauth2_changes(keycloak)
    ).start_healthy()
    tenant = keycloak_tenant(openbao, keycloak, token_ttl="20s", token_max_ttl="20s")
    expiring = make_provider(
        tenant, changes=oauth2_changes(keycloak), name="expiring"
    ).start_healthy()
    with SteadyLoad([living], count=4, pace=0.05) as load, expiring.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        keycloak.kill()
        ends = time.monotonic() + OUTAGE_SECONDS
        try:
            wait_for(lambda: _refusal(client, encrypted) == NO_TOKEN, "the last token's end")
            assert expiring.credential_word() == "oauth2_unavailable"
            wait_for(
                lambda: _refusal(client, encrypted) == NO_TOKEN and time.monotonic() >= ends,
                "the end of the outage, and still no token",
                OUTAGE_SECONDS + 30,
            )
        finally:
            keycloak.start()
        wait_for(lambda: decrypts(client, encrypted), "recovery", ignoring=(KmsError,))
        expiring.wait_healthy()
    assert (load.failures, load.unhealthy) == ([], 0)
    assert "oauth2_unavailable" in words(expiring, "auth.login")


def _refusal(client, encrypted):
    """Code and text of a Decrypt that fails; None while it works."""
    try:
        client.decrypt(encrypted)
    except KmsError as error:
        return error.code, error.text
    return None


def test_oauth2_answers_that_are_no_grant_are_told_apart(workspace, openbao, make_provider):
    tenant = Tenant(openbao)
    endpoint = workspace.adopt(HttpsProxy(openbao))
    secret = workspace.folder("oauth2") / "secret"
    secret.touch(mode=0o600)
    secret.write_text("a secret")
    issued = tenant.issue_jwt()
    provider = make_provider(
        tenant,
        changes={
            # Back-off ends at the probe interval: the rows below come quickly.
            "status": {"probeInterval": "1s"},
            "auth": {
                "jwt": {
                    "source": "oauth2",
                    "jwtFile": None,
                    "oauth2": {
                        "tokenUrl": f"{endpoint.address}/token?tenant=1",
                        "clientId": "client",
                        "clientSecretFile": str(secret),
                        "authMethod": "client_secret_post",
                        "caCertFile": str(openbao.ca_file),
                    },
                }
            },
        },
    )
    rows = iter(ANSWERS.items())
    name, (fault, word) = next(rows)
    endpoint.inject(fault)
    provider.start()
    while True:
        seen = len(words(provider, "auth.login"))
        wait_for(
            # The first one after it may still be the answer of the row before.
            lambda: words(provider, "auth.login")[seen + WORKERS :][:1] != [],
            f"logins with {name}",
        )
        assert words(provider, "auth.login")[-1] == word, name
        try:
            name, (fault, word) = next(rows)
        except StopIteration:
            break
        endpoint.heal()
        endpoint.inject(fault)
    endpoint.heal()
    endpoint.inject(faults.answer(200, body=body(access_token=issued, expires_in=3600)))
    provider.wait_healthy()
    assert endpoint.seen()[0] == ("POST", "/token?tenant=1")


def test_oauth2_goes_through_the_proxy_of_the_environment(
    workspace, openbao, keycloak, make_provider
):
    proxy = workspace.adopt(ConnectProxy({OTHER_NAME: "127.0.0.1"}))
    url = keycloak.token_url.replace("localhost", OTHER_NAME)
    tenant = keycloak_tenant(openbao, keycloak)
    provider = make_provider(tenant, changes=oauth2_changes(keycloak, tokenUrl=url))
    provider.daemon.env = {"HTTPS_PROXY": proxy.url, "NO_PROXY": OTHER_NAME}
    provider.start()
    wait_for(lambda: provider.credential_word() == "oauth2_unavailable", "a name nobody knows")
    assert proxy.heads == []
    provider.stop()
    provider.daemon.env = {"https_proxy": proxy.url, "no_proxy": "elsewhere.test"}
    provider.start_healthy()
    assert len(proxy.heads) >= WORKERS
    secret = keycloak.secret_file.read_text().strip()
    for head in proxy.heads:
        assert head.startswith(f"CONNECT {OTHER_NAME}:{keycloak.port} HTTP/1.1\r\n")
        assert "authorization" not in head.lower()
        assert secret not in head


def test_oauth2_proxies_that_cannot_be_used_end_the_start(keycloak, openbao, make_provider):
    url = keycloak.token_url.replace("localhost", OTHER_NAME)
    provider = make_provider(
        keycloak_tenant(openbao, keycloak), changes=oauth2_changes(keycloak, tokenUrl=url)
    )
    provider.daemon.env = {"HTTPS_PROXY": "socks5://user:word@127.0.0.1:1"}
    provider.daemon.start()
    assert provider.daemon.wait_exit() == 3
    assert "HTTPS_PROXY: only a proxy of the form http://host:port" in provider.daemon.log_text()
    assert "word" not in provider.daemon.log_text()
