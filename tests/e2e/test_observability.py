"""What operators look at: /live, /ready, /metrics, the log in both forms, incident mode, and the calls
that OpenBao's audit log counts for one request.
"""

import base64
import contextlib
import hashlib
import http.client
import json
import re
import resource
import socket
import uuid
from concurrent import futures

import pytest

from rig import faults
from rig.waits import wait_for

PLAINTEXT = b"kubernetes secret payload"
CALLERS = 16


def hashed(text: str) -> str:
    """H(text) of docs/contract.md#encodings."""
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def exchange(port: int, method: str, path: str):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def test_live_and_ready_have_their_documented_bodies(shared_provider):
    status, headers, body = exchange(shared_provider.health_port, "GET", "/live")
    assert (status, headers["Content-Type"], body) == (200, "application/json", b'{"status":"ok"}')
    status, headers, body = exchange(shared_provider.health_port, "GET", "/ready")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert body.startswith(b'{"reasons":[],"status":"ok","healthz":"ok","cache_age_ms":')
    ready = json.loads(body)
    key_id = shared_provider.status().key_id
    assert isinstance(ready.pop("cache_age_ms"), int)
    auth = ready.pop("auth")
    assert auth.pop("credential") == "ok"
    assert {name for name, seconds in auth.items() if seconds > 0} == {
        "jwt_ends_in_s",
        "token_ends_in_s",
    }
    processes = ("auth_agent", "spawner", "supervisor", "worker_0", "worker_1")
    isolation = ready["isolation"]
    details = isolation.pop("details")
    assert set(details) == set(processes)
    assert isinstance(isolation.pop("inherited_filters"), int)
    assert ready == {
        "reasons": [],
        "status": "ok",
        "healthz": "ok",
        "stale": False,
        "rotation_state": "active",
        "key_id_hash": hashed(key_id),
        "transit_key_version": 1,
        "workers_ready": 2,
        "isolation": {
            "level": "single-user",
            "helpers": "unreadable",
            "files": "changeable",  # the tests run as root, who owns everything
            "credential": "unreadable" if details["supervisor"]["landlock_abi"] else "readable",
            "processes": {name: "confined" for name in processes},
        },
    }


def test_files_that_the_own_user_can_change_are_reported(make_provider):
    provider = make_provider().start()
    reported = [r for r in provider.log_events() if r["message"] == "isolation.files"]
    assert {record["key"] for record in reported} == {"--config", "openbao.caCertFile"}
    assert {(record["level"], record["status"]) for record in reported} == {("WARN", "changeable")}
    provider.stop()

    provider.write_protect(provider.config_path, provider.config["openbao"]["caCertFile"])
    provider.daemon.log_path.unlink()
    provider.start()
    assert provider.ready()[1]["isolation"]["files"] == "protected"
    assert "isolation.files" not in [record["message"] for record in provider.log_events()]


@pytest.mark.parametrize("path", ["/live", "/ready"])
def test_health_takes_get_and_head_only(shared_provider, path):
    port = shared_provider.health_port
    assert exchange(port, "HEAD", path)[0::2] == (200, b"")
    assert exchange(port, "POST", path)[0] == 405
    assert exchange(port, "GET", path + "/x")[0] == 404


def test_ready_says_why_it_is_not(make_provider):
    provider = make_provider(policy=False).start()
    wait_for(lambda: provider.ready()[1].get("metadata_error_class"), "a failed probe")
    status, ready = provider.ready()
    assert status == 503
    assert ready["status"] == "unavailable" and ready["healthz"] == "unhealthy" and ready["stale"]
    assert ready["reasons"] == ["state_unavailable", "upsert_check_failed"]
    assert ready["metadata_error_class"] == "permission_denied"
    assert "key_id_hash" not in ready
    assert provider.get("/live") == (200, '{"status":"ok"}')


def test_metrics_count_what_happened(provider, kms):
    kms.decrypt(kms.encrypt(PLAINTEXT))
    # A call is counted after its answer.
    last = 'openbao_kms_grpc_requests_total{method="decrypt",status="ok"}'
    wait_for(lambda: provider.metrics().get(last) == 1, "the Decrypt to be counted")
    now = provider.metrics()
    assert now['openbao_kms_grpc_requests_total{method="encrypt",status="ok"}'] == 1
    assert now['openbao_kms_grpc_duration_seconds_count{method="decrypt"}'] == 1
    assert now['openbao_kms_grpc_in_flight{method="decrypt"}'] == 0
    assert now['openbao_kms_auth_login_total{status="ok"}'] == 2
    assert 1000 < now["openbao_kms_token_ttl_seconds"] <= 1800
    states = {s: now[f'openbao_kms_rotation_state{{state="{s}"}}'] for s in ("active", "pending")}
    assert states == {"active": 1, "pending": 0}
    key_id = kms.status().key_id
    apiserver_hash = "sha256:" + hashlib.sha256(key_id.encode()).hexdigest()
    labels = f'apiserver_hash="{apiserver_hash}",hash="{hashed(key_id)}"'
    assert now[f"openbao_kms_status_key_id_hash{{{labels}}}"] == 1
    for process in ("supervisor", "spawner", "auth_agent", "worker_0", "worker_1"):
        assert now[f'openbao_kms_process_up{{process="{process}"}}'] == 1


def test_the_text_log_reads_like_logfmt(make_provider):
    provider = make_provider(changes={"logging": {"format": "text"}}).start_healthy()
    assert provider.stop() == 0
    lines = provider.daemon.log_text().splitlines()
    head = r"ts=\S+Z level=(DEBUG|INFO|WARN|ERROR) message=[a-z_.]+ process=[a-z_0-9]+ pid=\d+"
    for line in lines:
        assert re.fullmatch(head + r'( [a-z_]+=([^\s"]+|"([^"\\]|\\.)*"))*', line), line
    assert [line for line in lines if "message=serve.ready" in line and "status=ok" in line]
    assert [line for line in lines if "message=auth.login process=auth_agent" in line]


def test_incident_mode_joins_the_logs_of_both_sides(make_provider):
    incident = {"enabled": True, "incidentId": "INC-7", "ttl": "10m"}
    provider = make_provider(
        changes={
            "logging": {"level": "debug", "debugCorrelation": incident},
            "isolation": {"verifyDecrypt": "off"},  # no call after the answer
        }
    ).start_healthy()
    uid = str(uuid.uuid4())
    with provider.client() as client:
        client.decrypt(client.encrypt(PLAINTEXT), uid=uid)
    records = wait_for(
        lambda: [r for r in provider.log_events() if r.get("request_uid_hash") == hashed(uid)],
        "the record of the request",
    )
    assert [(r["message"], r["operation"]) for r in records] == [("kms.request", "kms.decrypt")]
    assert records[0]["debug_correlation_incident"] == "INC-7"
    assert records[0]["debug_correlation_expires_at"].endswith("Z")
    tenant = provider.tenant
    decrypt = [
        r["openbao_request_id"]
        for r in provider.log_events()
        if r.get("openbao_operation") == "transit decrypt"
    ]
    audited = tenant.openbao.audit_requests(f"{tenant.transit_mount}/decrypt/")
    assert set(decrypt) == {request["id"] for request in audited}
    assert uid not in provider.daemon.log_text()


def test_without_incident_mode_no_id_is_logged(make_provider):
    provider = make_provider(changes={"logging": {"level": "debug"}}).start_healthy()
    with provider.client() as client:
        client.decrypt(client.encrypt(PLAINTEXT))
    wait_for(
        lambda: [r for r in provider.log_events() if r.get("operation") == "kms.decrypt"],
        "the record of the request",
    )
    assert not re.search("request_uid_hash|openbao_request_id|correlation", provider.daemon.log_text())


def test_ids_of_openbao_are_logged_with_permission_only(make_provider):
    def logged() -> set:
        return {r["openbao_request_id"] for r in provider.log_events() if "openbao_request_id" in r}

    incident = {"enabled": True, "incidentId": "INC-7"}
    provider = make_provider(changes={"logging": {"level": "debug", "debugCorrelation": incident}})
    provider.write_config({"logging": {"logOpenBaoRequestIDs": False}})
    provider.daemon.start()
    assert provider.daemon.wait_exit() == 3
    assert "needs logging.logOpenBaoRequestIDs true" in provider.daemon.log_text()
    provider.write_config({"logging": {"debugCorrelation": {"enabled": False}}})
    provider.start_healthy()
    assert provider.stop() == 0
    assert not logged()
    provider.write_config(
        {"logging": {"logOpenBaoRequestIDs": True, "debugCorrelation": {"enabled": True}}}
    )
    provider.start_healthy()
    assert provider.stop() == 0
    audited = {request["id"] for request in provider.tenant.openbao.audit_requests()}
    assert logged() and logged() <= audited


def test_one_encrypt_is_one_call_and_one_verification(provider, kms):
    tenant = provider.tenant
    before = [tenant.transit_requests(operation) for operation in ("encrypt", "decrypt")]
    kms.encrypt(PLAINTEXT)
    after = [tenant.transit_requests(operation) for operation in ("encrypt", "decrypt")]
    assert after == [count + 1 for count in before]
    assert provider.metrics()["openbao_kms_encrypt_self_verified_total"] == 0


@pytest.mark.parametrize("mode", ["off", "sample", "always"])
def test_the_first_decrypts_are_checked_on_another_worker(make_provider, mode):
    provider = make_provider(changes={"isolation": {"verifyDecrypt": mode}}).start_healthy()
    wait_for(lambda: provider.ready()[1]["workers_ready"] == 2, "both workers")
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        before = provider.tenant.transit_requests("decrypt")
        for _ in range(3):
            assert client.decrypt(encrypted) == PLAINTEXT
    calls = before + (3 if mode == "off" else 6)
    wait_for(lambda: provider.tenant.transit_requests("decrypt") == calls, "every check")
    assert provider.metrics()["openbao_kms_decrypt_mismatch_total"] == 0


def test_equal_decrypts_in_flight_are_one_call(make_provider, https_proxy):
    provider = make_provider(
        changes={
            "openbao": {"address": https_proxy.address, "timeout": "60s"},
            "isolation": {"verifyDecrypt": "off"},
        }
    ).start_healthy()
    joined = "openbao_kms_coalesced_decrypts_total"
    with provider.client() as client, futures.ThreadPoolExecutor(CALLERS) as pool:
        encrypted = client.encrypt(PLAINTEXT)
        before = provider.tenant.transit_requests("decrypt")
        https_proxy.inject(faults.slow_headers(), path="/decrypt/")
        try:
            answers = [pool.submit(client.decrypt, encrypted, timeout=60) for _ in range(CALLERS)]
            wait_for(lambda: provider.metrics().get(joined) == CALLERS - 1, "all others to join the first")
        finally:
            https_proxy.heal()
        assert [answer.result() for answer in answers] == [PLAINTEXT] * CALLERS
    assert provider.tenant.transit_requests("decrypt") == before + 1


def test_live_is_answered_while_a_thousand_connections_are_silent(provider):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    try:
        with contextlib.ExitStack() as stack:
            for number in range(1000):
                silent = socket.create_connection(("127.0.0.1", provider.health_port))
                stack.enter_context(silent)
                if number % 2:
                    silent.send(b"GET /live HT")
            assert provider.get("/live")[0] == 200
            assert provider.status().ok
            assert provider.metrics()["process_open_fds"] < 500
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
