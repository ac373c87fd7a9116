"""What a caller sees while OpenBao, or the way to it, misbehaves: code, text, bounded time, and that
health comes back by itself.
"""

import time

import grpc
import pytest

from rig import faults
from rig.https_proxy import HttpsProxy
from rig.kms import KmsError, refusal
from rig.pki import Authority
from rig.provider import Provider
from rig.tcp_proxy import Mode
from rig.tenant import Tenant
from rig.waits import wait_for

PLAINTEXT = b"kubernetes secret payload"
UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, "transit unavailable (temporary)")
BROKEN = (grpc.StatusCode.UNAVAILABLE, "transit operation failed (temporary)")
LATE = (grpc.StatusCode.DEADLINE_EXCEEDED, "request timed out (temporary)")
INTERNAL = (grpc.StatusCode.INTERNAL, "kms request failed")

# openbao.timeout is 2 s; the rest is for a busy machine. The bound is the contract's, not a measure.
LONGEST_SECONDS = 10.0
KIB = 1024

FAULTS = {
    "400": (faults.answer(400, ["bad"]), (grpc.StatusCode.INVALID_ARGUMENT, "transit decrypt failed")),
    "400 message authentication failed": (
        faults.answer(400, ["cipher: message authentication failed"]),
        (grpc.StatusCode.INVALID_ARGUMENT, "transit decrypt failed"),
    ),
    "404": (faults.answer(404), (grpc.StatusCode.NOT_FOUND, "transit key not found")),
    "412": (
        faults.answer(412, ["missing header"]),
        (grpc.StatusCode.UNAVAILABLE, "transit precondition failed (temporary)"),
    ),
    "418": (faults.answer(418, ["teapot"]), UNAVAILABLE),
    "429": (
        faults.answer(429),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "transit rate limited (temporary)"),
    ),
    "500": (faults.answer(500, ["internal error"]), UNAVAILABLE),
    "502": (faults.answer(502, body=b"<html>bad gateway</html>"), UNAVAILABLE),
    "503": (faults.answer(503, ["standby"]), UNAVAILABLE),
    "503 sealed": (faults.answer(503, ["Vault is sealed"]), UNAVAILABLE),
    "307": (faults.redirect(), UNAVAILABLE),
    "reset": (faults.connection_reset(), UNAVAILABLE),
    "cut body": (faults.cut_body(), UNAVAILABLE),
    "oversized": (faults.oversized(256 * KIB + 1), UNAVAILABLE),
    "oversized error": (faults.oversized(64 * KIB + 1, status=400), UNAVAILABLE),
    "truncated JSON": (faults.truncated_json(), BROKEN),
    "duplicate member": (faults.duplicate_member("plaintext"), BROKEN),
    "not JSON": (faults.answer(200, body=b"hello"), BROKEN),
    "empty plaintext": (
        faults.rewritten_json(lambda a: {**a, "data": {**a["data"], "plaintext": ""}}),
        INTERNAL,
    ),
    "slow headers": (faults.slow_headers(), LATE),
    "stalled body": (faults.stalled_body(), LATE),
}


@pytest.fixture(scope="module")
def through_proxy(session_workspace, openbao):
    """A provider behind an HTTPS proxy, and a ciphertext of its key."""
    proxy = session_workspace.adopt(HttpsProxy(openbao))
    provider = Provider(
        session_workspace,
        Tenant(openbao),
        {"openbao": {"address": proxy.address}},
        name="faulty-provider",
    )
    provider.install_policy()
    provider.start_healthy()
    with provider.client() as client:
        yield proxy, client, client.encrypt(PLAINTEXT)
    provider.stop()


@pytest.mark.parametrize("name", FAULTS)
def test_fault_has_its_documented_answer_and_heals_by_itself(through_proxy, name):
    proxy, client, encrypted = through_proxy
    fault, expected = FAULTS[name]
    proxy.inject(fault, path="/decrypt/")
    started = time.monotonic()
    try:
        error = refusal(lambda: client.decrypt(encrypted))
    finally:
        proxy.heal()
    assert (error.code, error.text) == expected
    assert time.monotonic() - started < LONGEST_SECONDS
    wait_for(
        lambda: client.decrypt(encrypted) == PLAINTEXT,
        "a Decrypt after the fault",
        ignoring=(KmsError,),
    )


@pytest.mark.parametrize(
    "fault",
    [
        faults.answer(502),
        faults.answer(503),
        faults.answer(429, headers={"Retry-After": "0"}),
        faults.connection_reset(),
    ],
    ids=["502", "503", "429 with Retry-After", "reset"],
)
def test_one_passing_fault_is_not_seen_by_the_caller(through_proxy, fault):
    proxy, client, encrypted = through_proxy
    proxy.inject(fault, path="/decrypt/", times=1)
    try:
        assert client.decrypt(encrypted) == PLAINTEXT
    finally:
        proxy.heal()


def test_the_callers_own_deadline_holds(through_proxy):
    proxy, client, encrypted = through_proxy
    proxy.inject(faults.slow_headers(), path="/decrypt/")
    try:
        error = refusal(lambda: client.decrypt(encrypted, timeout=0.3))
    finally:
        proxy.heal()
    assert error.code == grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_wrong_ciphertext_is_never_given_to_the_caller(through_proxy):
    proxy, client, _ = through_proxy
    proxy.inject(
        faults.rewritten_json(
            lambda a: {**a, "data": {**a["data"], "ciphertext": "vault:v1:" + "A" * 80}}
        ),
        path="/encrypt/",
    )
    try:
        error = refusal(lambda: client.encrypt(PLAINTEXT))
    finally:
        proxy.heal()
    assert error.code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL)


@pytest.mark.parametrize("mode", [Mode.BLACKHOLE, Mode.HALF_OPEN, Mode.RESET, Mode.REFUSE])
def test_a_broken_network_is_survived(make_provider, tcp_proxy, openbao, mode):
    provider = make_provider(
        changes={"openbao": {"address": f"https://127.0.0.1:{tcp_proxy.port}"}}
    ).start_healthy()
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        tcp_proxy.set_mode(mode)
        started = time.monotonic()
        error = refusal(lambda: client.decrypt(encrypted))
        assert error.code in (
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.DEADLINE_EXCEEDED,
        )
        assert error.text.endswith(" (temporary)")
        assert time.monotonic() - started < LONGEST_SECONDS
        tcp_proxy.set_mode(Mode.FORWARD)
        wait_for(
            lambda: client.decrypt(encrypted) == PLAINTEXT,
            "a Decrypt over the repaired network",
            ignoring=(KmsError,),
        )
        provider.wait_healthy()


def test_another_ca_is_never_trusted(make_provider, workspace):
    foreign = Authority(workspace.root / "foreign-ca")
    provider = make_provider(changes={"openbao": {"caCertFile": str(foreign.cert)}})
    provider.start()
    wait_for(
        lambda: "tls_failed" in str(provider.ready()[1]),
        "the class tls_failed in /ready",
        ignoring=(OSError,),
    )
    with provider.client() as client:
        assert client.status().healthz == "unhealthy"
        assert refusal(lambda: client.encrypt(PLAINTEXT)).code == (
            grpc.StatusCode.FAILED_PRECONDITION
        )


def test_a_certificate_for_another_name_is_never_accepted(make_provider):
    provider = make_provider(changes={"openbao": {"tlsServerName": "other.example"}})
    provider.start()
    wait_for(
        lambda: "tls_failed" in str(provider.ready()[1]),
        "the class tls_failed in /ready",
        ignoring=(OSError,),
    )
