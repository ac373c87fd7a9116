"""Secrets are found in the memory of exactly the processes that may hold them, and only for as long
as they need to be there. What root finds are copies of libraries and of messages: our own are in
memory of memfd_secret(2), which nobody can read from outside.
"""

import base64
import json
import secrets
from concurrent import futures

import pytest

from rig import faults, processes
from rig.hsm import FaultyModule
from rig.hsm_setup import HsmSetup
from rig.https_proxy import HttpsProxy
from rig.kms import KmsError
from rig.openbao import OpenBao
from rig.provider import AGENT, WORKER
from rig.tenant import Tenant
from rig.waits import wait_for

SUPERVISOR = "bao-kms-provider"
PLAINTEXT = b"kubernetes secret payload"
NEEDLE = 24  # bytes of a secret that are looked for: no accident, and any useful piece has them
CHUNK = 1 << 20
ATTEMPTING = "pinLatch: attempting\n"


def mapped(pid: int):
    """The readable ranges of a process' memory."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        for line in maps:
            fields = line.split()
            if "r" in fields[1] and fields[-1] not in ("[vvar]", "[vsyscall]"):
                begin, end = (int(part, 16) for part in fields[0].split("-"))
                yield begin, end


def holds(pid: int, needle: bytes) -> bool:
    """Whether the process' memory has needle anywhere."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for begin, end in mapped(pid):
            try:
                memory.seek(begin)
                left, tail = end - begin, b""
                while left > 0:
                    piece = memory.read(min(CHUNK, left))
                    if not piece:
                        break
                    if needle in tail + piece:
                        return True
                    tail = piece[-len(needle) :]
                    left -= len(piece)
            except OSError:
                continue  # a range that cannot be read holds nothing that could be
    return False


def holders(provider, needle: bytes) -> list:
    """The programs whose memory has needle: one entry per process."""
    found = []
    for process in provider.processes():
        if holds(process.pid, needle):
            found.append(processes.program(process.pid))
    return found


def plaintext_holders(provider, plaintext: bytes) -> set:
    """The programs whose memory has it, as it is or as it travels between worker and OpenBao."""
    forms = (plaintext[:NEEDLE], plaintext[-NEEDLE:], base64.b64encode(plaintext)[:NEEDLE])
    return {program for form in forms for program in holders(provider, form)}


def tail(text: str) -> bytes:
    return text[-NEEDLE:].encode()


@pytest.fixture
def telling_openbao(workspace):
    """An OpenBao whose audit log has tokens in clear text."""
    return OpenBao(workspace, raw_audit=True).start()


def issued_tokens(openbao, tenant) -> list:
    """The tokens that logins of this tenant got."""
    entries = [json.loads(line) for line in openbao.audit_log.read_text().splitlines() if line]
    return [
        entry["auth"]["client_token"]
        for entry in entries
        if entry["type"] == "response"
        and entry["request"]["path"] == f"{tenant.auth_mount}/login"
        and entry.get("auth", {}).get("client_token")
    ]


def test_memory_of_nobody_shows_a_token_or_the_jwt_to_root(telling_openbao, make_provider):
    tenant = Tenant(telling_openbao)
    provider = make_provider(tenant).start_healthy()
    with provider.client() as client:
        for _ in range(20):
            assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT
    tokens = issued_tokens(telling_openbao, tenant)
    assert len(tokens) == 2
    for secret in (*tokens, provider.jwt_path.read_text()):
        wait_for(lambda: holders(provider, tail(secret)) == [], "its copies to be wiped")


def test_memory_of_one_worker_each_holds_a_token_where_pages_are_only_locked(
    telling_openbao, make_provider
):
    tenant = Tenant(telling_openbao)
    provider = make_provider(tenant)
    provider.refuse_secret_memory()
    provider.start_healthy()
    with provider.client() as client:
        for _ in range(20):
            assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT
    tokens = issued_tokens(telling_openbao, tenant)
    assert len(tokens) == 2
    for token in tokens:
        assert holders(provider, tail(token)) == [WORKER]
    for pid in provider.pids(WORKER):
        assert sum(holds(pid, tail(token)) for token in tokens) == 1
    jwt = tail(provider.jwt_path.read_text())
    wait_for(lambda: holders(provider, jwt) == [], "the JWT to be wiped")


def test_memory_holds_a_plaintext_only_while_a_request_lasts(make_provider, https_proxy):
    changes = {"openbao": {"address": https_proxy.address, "timeout": "30s"}}
    provider = make_provider(changes=changes).start_healthy()
    plaintext = secrets.token_hex(32).encode()

    def nobody_has_it():
        return plaintext_holders(provider, plaintext) == set()

    with provider.client() as client:
        for _ in range(20):
            assert client.decrypt(client.encrypt(plaintext)) == plaintext
        wait_for(nobody_has_it, "the copies of the finished requests to be wiped")
        https_proxy.inject(faults.slow_headers(), path="/encrypt/")
        with futures.ThreadPoolExecutor() as caller:
            answer = caller.submit(client.encrypt, plaintext)
            try:
                wait_for(
                    lambda: plaintext_holders(provider, plaintext) == {SUPERVISOR, WORKER},
                    "the plaintext where it has to be",
                )
            finally:
                https_proxy.heal()
            answer.result()
        wait_for(nobody_has_it, "the copies of the last request to be wiped")
        with pytest.raises(KmsError):  # refused by gRPC, before it is a request
            client.encrypt(plaintext * 2000)
    wait_for(nobody_has_it, "the buffers of the connection to be wiped")


def test_memory_of_the_agent_alone_holds_the_jwt_while_it_logs_in(
    openbao, https_proxy, make_provider
):
    provider = make_provider(changes={"openbao": {"address": https_proxy.address}})
    https_proxy.inject(faults.slow_headers(), path="/login")
    provider.start()
    jwt = tail(provider.jwt_path.read_text())
    wait_for(lambda: https_proxy.seen("/login"), "a login at OpenBao")
    wait_for(lambda: holders(provider, jwt) == [AGENT], "the JWT in the agent, and nowhere else")
    https_proxy.heal()
    provider.wait_healthy()
    wait_for(lambda: holders(provider, jwt) == [], "the JWT to be wiped")


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_memory_of_the_agent_alone_holds_the_client_secret_during_a_grant(
    workspace, openbao, make_provider, method
):
    tenant = Tenant(openbao)
    endpoint = workspace.adopt(HttpsProxy(openbao))
    secret_file = workspace.folder("oauth2") / "secret"
    secret_file.touch(mode=0o600)
    secret = secrets.token_hex(32)
    secret_file.write_text(secret)
    provider = make_provider(
        tenant,
        changes={
            "auth": {
                "loginTimeout": "30s",
                "jwt": {
                    "source": "oauth2",
                    "jwtFile": None,
                    "oauth2": {
                        "tokenUrl": f"{endpoint.address}/token",
                        "clientId": "client",
                        "clientSecretFile": str(secret_file),
                        "authMethod": method,
                        "caCertFile": str(openbao.ca_file),
                    },
                },
            }
        },
    )
    granted = {"access_token": tenant.issue_jwt(), "token_type": "Bearer"}
    grant = faults.answer(200, body=json.dumps(granted).encode())

    def held(handler):
        handler.healed.wait(faults.WAIT_SECONDS)
        grant(handler)

    endpoint.inject(held)
    provider.start()
    wait_for(endpoint.seen, "a grant under way")
    needle = secret.encode() if method == "client_secret_post" else basic_part(secret)
    wait_for(lambda: holders(provider, needle) == [AGENT], "the secret in the agent alone")
    endpoint.heal()
    endpoint.inject(grant)
    wait_for(lambda: provider.status().ok, "health", ignoring=(OSError, KmsError))
    jwt = tail(granted["access_token"])
    for gone in (needle, secret.encode(), jwt):
        wait_for(lambda: holders(provider, gone) == [], "the secrets to be wiped")


def basic_part(secret: str) -> bytes:
    """The base64 of "client:<secret>" as it is in the Authorization header."""
    return base64.b64encode(f"client:{secret}".encode())[16:-4]


@pytest.mark.parametrize("pages", ["secret", "locked"])
def test_memory_of_the_agent_alone_holds_the_pin_while_the_token_takes_it(
    workspace, openbao, make_provider, pages
):
    pin = secrets.token_hex(32)
    setup = HsmSetup(workspace, make_provider, openbao, pin=pin)
    module = FaultyModule(setup.hsm)
    setup.configure(variables=module.environment, **module.settings)
    if pages == "locked":
        setup.provider.refuse_secret_memory()
    setup.provider.write_config({"auth": {"loginTimeout": "30s"}})
    module.hang("C_Login")
    setup.provider.start()
    needle = tail(pin)
    wait_for(lambda: setup.provider.run("pin-latch").stdout == ATTEMPTING, "the login of the module")
    assert holders(setup.provider, needle) == ([AGENT] if pages == "locked" else [])
    module.heal()
    setup.provider.wait_healthy()
    assert setup.works()
    assert holders(setup.provider, needle) == []
    assert module.logins() == "."


def test_memory_of_nobody_holds_a_pin_that_is_not_tried(workspace, openbao, make_provider):
    setup = HsmSetup(workspace, make_provider, openbao)
    refused = secrets.token_hex(32)
    setup.hsm.write_pin(refused)
    setup.provider.start()
    wait_for(
        lambda: setup.logged("auth.hsm", reason="PIN latched: the token refused it"),
        "the second look at the PIN",
    )
    wait_for(lambda: holders(setup.provider, tail(refused)) == [], "the PIN to be wiped")
