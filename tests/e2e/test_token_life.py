"""Tokens that expire, are revoked or cannot be had, and what kube-apiserver notices of it."""

import contextlib
import functools
import os
import signal
import time

import grpc
import pytest

from rig import faults
from rig.kms import KmsError, refusal
from rig.load import SteadyLoad
from rig.provider import AGENT, WORKER
from rig.tenant import Tenant
from rig.waits import wait_for

WORKERS = 2
PLAINTEXT = b"kubernetes secret payload"
SHORT_TTL = 20
SHORT_RUN = int(os.environ.get("BAOKMS_TOKEN_SECONDS", "180"))
STOPPED_RUN = int(os.environ.get("BAOKMS_STOPPED_SECONDS", "60"))
PROBE_SECONDS = 2  # status.probeInterval of the rig's configuration
DEFAULT_PROBE_SECONDS, DEFAULT_BUDGET = 30, 12  # docs/config.md, with two workers
NO_POLICY = 'path "sys/none" { capabilities = ["read"] }'
REFUSED = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


def logins(tenant) -> int:
    """Login requests that OpenBao has audited, refused ones included."""
    return len(tenant.openbao.audit_requests(f"{tenant.auth_mount}/login"))


def signal_all(provider, program: str, number) -> None:
    for pid in provider.pids(program):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def most_logins(started: float) -> float:
    """What back-off allows since started: its cap is the probe interval, less a quarter."""
    return WORKERS * (3 + (time.monotonic() - started) / (PROBE_SECONDS * 0.75))


def revoke_tokens(tenant) -> None:
    tenant.openbao.request("PUT", f"sys/leases/revoke-prefix/{tenant.auth_mount}")


def decrypts(client, encrypted) -> bool:
    return client.decrypt(encrypted) == PLAINTEXT


def wait_repaired(calls, probe_seconds=PROBE_SECONDS) -> None:
    """One probe interval and what a busy machine needs; calls are (client, something encrypted)."""
    wait_for(
        lambda: all(decrypts(*call) for call in calls),
        "Decrypt after the repair",
        deadline=probe_seconds + 5,
        ignoring=(KmsError,),
    )


def last_look(provider):
    """Level and status of the last record about the credential."""
    records = [e for e in provider.log_events() if e["message"] == "auth.credential"]
    return records[-1]["level"], records[-1]["status"]


def budget_left(provider) -> float:
    return provider.metrics()["openbao_kms_login_budget_remaining"]


@pytest.mark.long
def test_tokens_of_20_s_and_a_new_jwt_every_15_s_cost_no_request(openbao, make_provider):
    tenant = Tenant(openbao, token_ttl=f"{SHORT_TTL}s")
    tenant.write_role(token_max_ttl=f"{SHORT_TTL}s")
    provider = make_provider(tenant, changes={"auth": {"jwt": {"minRemainingTtl": "5s"}}})
    provider.write_jwt(ttl_seconds=30)
    provider.start_healthy()
    started = time.monotonic()
    with SteadyLoad([provider], count=16) as load:
        while time.monotonic() - started < SHORT_RUN:
            time.sleep(min(15, SHORT_RUN))
            provider.write_jwt(ttl_seconds=30)
    seconds = time.monotonic() - started
    assert (load.failures, load.unhealthy) == ([], 0)
    assert load.requests > SHORT_RUN
    # A token is replaced when between a third and 5/12 of its life are left. The renewal before
    # brings no more than that rest, which is no reason to wait.
    longest, shortest = SHORT_TTL * 2 / 3, SHORT_TTL * 7 / 12
    assert WORKERS * (seconds // (longest + 2)) <= logins(tenant) <= WORKERS * (
        seconds // shortest + 3
    )


@pytest.mark.long
def test_a_minute_with_stopped_agents_costs_no_request(openbao, make_provider):
    provider = make_provider(Tenant(openbao, token_ttl=f"{SHORT_TTL}s")).start_healthy()
    end = time.monotonic() + STOPPED_RUN
    with SteadyLoad([provider], count=4, pace=0.05) as load:
        while time.monotonic() < end:
            signal_all(provider, AGENT, signal.SIGSTOP)
            time.sleep(0.2)
    assert (load.failures, load.unhealthy) == ([], 0)
    wait_for(lambda: provider.credential_word() == "ok", "an agent that works")


@pytest.mark.long
def test_agents_that_die_cost_no_token_and_cause_no_login_storm(openbao, make_provider):
    tenant = Tenant(openbao, token_ttl=f"{SHORT_TTL}s")
    provider = make_provider(tenant).start_healthy()
    before = logins(tenant)
    with SteadyLoad([provider], count=4, pace=0.05) as load:
        for _ in range(20):
            wait_for(lambda: provider.pids(AGENT), "the next agent")
            signal_all(provider, AGENT, signal.SIGKILL)
    assert (load.failures, load.unhealthy) == ([], 0)
    assert logins(tenant) - before <= WORKERS


@pytest.mark.long
def test_the_login_budget_outlives_the_agents(openbao, make_provider):
    tenant = Tenant(openbao)
    provider = make_provider(tenant, changes={"auth": {"loginBudgetPerMinute": 4}}).start_healthy()
    started = time.monotonic()
    for _ in range(12):
        old = provider.pids(WORKER)
        signal_all(provider, AGENT, signal.SIGKILL)
        signal_all(provider, WORKER, signal.SIGKILL)
        wait_for(lambda: len(provider.pids(WORKER) - old) == WORKERS, "new workers")
    minutes = 1 + (time.monotonic() - started) // 60
    assert logins(tenant) <= 4 * minutes
    wait_for(lambda: budget_left(provider) == 0, "its end")
    provider.tenant.openbao.request("GET", "sys/health")
    wait_for(lambda: provider.status().ok, "logins in the next minute", 120, (OSError, KmsError))


def test_revoked_tokens_are_replaced_within_the_request(provider, kms):
    encrypted = kms.encrypt(PLAINTEXT)
    before = logins(provider.tenant)
    revoke_tokens(provider.tenant)
    for _ in range(20):
        assert decrypts(kms, encrypted)
    assert logins(provider.tenant) - before <= WORKERS


@pytest.fixture
def patient_provider(make_provider):
    """Its budget is above what back-off allows: a probe interval of two seconds makes for more
    attempts in a minute than the default budget has.
    """
    return make_provider(changes={"auth": {"loginBudgetPerMinute": 120}}).start_healthy()


@contextlib.contextmanager
def outage(provider):
    """(client, something encrypted) for a block that breaks something and repairs it. After it,
    requests have to work within one probe interval, and logins to have kept to back-off.
    """
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        before, started = logins(provider.tenant), time.monotonic()
        yield client, encrypted
        wait_repaired([(client, encrypted)])
        assert logins(provider.tenant) - before <= most_logins(started)
        provider.wait_healthy()


def test_a_deleted_jwt_role_and_no_token_fail_closed_until_it_is_back(patient_provider):
    tenant = patient_provider.tenant
    with outage(patient_provider) as (client, encrypted):
        tenant.delete_role()
        assert decrypts(client, encrypted)  # the tokens live on
        before = logins(tenant)
        revoke_tokens(tenant)
        error = refusal(lambda: client.decrypt(encrypted))
        assert error.code in REFUSED
        assert error.text.endswith(" (temporary)")
        wait_for(lambda: logins(tenant) - before >= 4, "attempts to log in")
        tenant.write_role()


def test_a_removed_policy_is_no_reason_to_throw_tokens_away(patient_provider):
    with outage(patient_provider) as (client, encrypted):
        patient_provider.tenant.write_policy(NO_POLICY)
        error = refusal(lambda: client.decrypt(encrypted))
        assert (error.code, error.text) == (
            grpc.StatusCode.PERMISSION_DENIED,
            "transit permission denied (temporary)",
        )
        patient_provider.wait_unhealthy()
        patient_provider.install_policy()


def test_a_disabled_auth_mount_heals_when_it_is_back(patient_provider):
    tenant = patient_provider.tenant
    with outage(patient_provider) as (client, encrypted):
        tenant.openbao.request("DELETE", f"sys/{tenant.auth_mount}")  # revokes its tokens
        assert refusal(lambda: client.decrypt(encrypted)).code in REFUSED
        tenant.enable_jwt()


def most_in_a_minute(times: list) -> int:
    """The most of these moments, in seconds and in order, that one minute has."""
    return max((sum(0 <= t - first < 60 for t in times) for first in times), default=0)


# One outage is shorter than the minute that the login budget counts, one longer.
@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seconds", [36, 70])
def test_with_the_default_intervals_and_budget_a_repair_shows_within_one_probe_interval(
    make_provider, seconds
):
    roleless, policyless = (
        make_provider(changes={"status": None}, name=name).start_healthy()
        for name in ("roleless", "policyless")
    )
    with (
        roleless.client() as first,
        policyless.client() as second,
        SteadyLoad([roleless], count=2, pace=0.2),
        SteadyLoad([policyless], count=2, pace=0.2),
    ):
        calls = [(client, client.encrypt(PLAINTEXT)) for client in (first, second)]
        wait_for(lambda: budget_left(roleless) == DEFAULT_BUDGET, "old logins to age", 90)
        roleless.tenant.delete_role()
        revoke_tokens(roleless.tenant)
        policyless.tenant.write_policy(NO_POLICY)
        broken_until = time.monotonic() + seconds

        def refused() -> bool:
            codes = [refusal(functools.partial(decrypts, *call)).code for call in calls]
            return all(code in REFUSED for code in codes)

        wait_for(
            lambda: refused() and time.monotonic() >= broken_until,
            "the end of the outage",
            seconds + 30,
        )
        roleless.tenant.write_role()
        policyless.install_policy()
        wait_repaired(calls, DEFAULT_PROBE_SECONDS)
    for provider in (roleless, policyless):
        provider.wait_healthy()
        login_times = provider.tenant.openbao.audit_times(f"{provider.tenant.auth_mount}/login")
        assert len(login_times) > WORKERS
        assert most_in_a_minute(login_times) <= DEFAULT_BUDGET


def without_end(login: dict) -> dict:
    """The answer of a login that grants a lease without an end."""
    login["auth"]["lease_duration"] = 0
    return login


def test_a_token_without_an_end_is_used_until_openbao_refuses_it(
    openbao, make_provider, https_proxy
):
    lives_s = 6
    https_proxy.inject(faults.rewritten_json(without_end), path="/login")
    provider = make_provider(
        Tenant(openbao, token_ttl=f"{lives_s}s"), changes={"openbao": {"address": https_proxy.address}}
    ).start_healthy()
    assert "token_ends_in_s" not in provider.ready()[1]["auth"]
    with SteadyLoad([provider], count=2, pace=0.05) as load:
        time.sleep(lives_s / 2)
        assert (len(https_proxy.seen("/login")), https_proxy.seen("/renew-self")) == (WORKERS, [])
        wait_for(lambda: len(https_proxy.seen("/login")) == 2 * WORKERS, "new logins")
    assert (load.failures, load.unhealthy) == ([], 0)


def test_a_bad_new_jwt_is_reported_before_a_token_needs_it(provider, kms):
    encrypted = kms.encrypt(PLAINTEXT)
    assert provider.credential_word() == "ok"
    for claims, word in [
        ({"aud": ["somebody else"]}, "jwt_invalid"),
        ({"ttl_seconds": 60}, "jwt_near_expiry"),  # so that the next word is news
        ({"sub": "somebody else"}, "jwt_invalid"),
        ({"ttl_seconds": 60}, "jwt_near_expiry"),
        ({"iss": "somebody else"}, "jwt_invalid"),
        ({"ttl_seconds": 60}, "jwt_near_expiry"),
        ({"ttl_seconds": -60}, "jwt_expired"),
    ]:
        provider.write_jwt(**claims)
        wait_for(lambda: provider.credential_word() == word, word)
        wait_for(lambda: last_look(provider) == ("WARN", word), "the record of it")
        assert decrypts(kms, encrypted)
    provider.write_jwt(ttl_seconds=3600)
    wait_for(lambda: provider.credential_word() == "ok", "the good JWT to be seen")
    status, body = provider.ready()
    assert status == 200
    assert 3500 < body["auth"]["jwt_ends_in_s"] <= 3600
    assert 0 < body["auth"]["token_ends_in_s"] <= 1800
    now = provider.metrics()
    assert 3500 < now["openbao_kms_jwt_ttl_seconds"] <= 3600
    assert 0 < now["openbao_kms_token_ttl_seconds"] <= 1800


def test_a_jwt_whose_replacement_is_overdue_is_reported(provider):
    provider.write_jwt(ttl_seconds=1300, iat=int(time.time()) - 90000)
    wait_for(lambda: provider.ready()[1]["auth"].get("replacement_overdue"), "the report")
    assert provider.credential_word() == "ok"


def test_a_jwt_in_a_kubernetes_projected_volume_is_followed(make_provider):
    provider = make_provider()
    volume = provider.folder / "projected"
    volume.mkdir(mode=0o755)

    def put(generation: str, **claims) -> None:
        folder = volume / f"..{generation}"
        folder.mkdir(mode=0o755)
        (folder / "token").touch(mode=0o400)
        (folder / "token").write_text(provider.tenant.issue_jwt(**claims))
        (volume / "..data_tmp").symlink_to(folder.name)
        (volume / "..data_tmp").rename(volume / "..data")

    put("2026_01")
    (volume / "token").symlink_to("..data/token")
    provider.write_config({"auth": {"jwt": {"jwtFile": str(volume / "token")}}})
    provider.start_healthy()
    put("2026_02", ttl_seconds=-60)
    wait_for(lambda: provider.credential_word() == "jwt_expired", "the new JWT to be seen")
    put("2026_03")
    wait_for(lambda: provider.credential_word() == "ok", "the next one to be seen")


def test_a_jwt_and_its_directory_may_come_from_systemd(make_provider):
    provider = make_provider()
    path = provider.load_credential("jwt", provider.tenant.issue_jwt())
    provider.write_config({"auth": {"jwt": {"jwtFile": path}}})
    provider.start_healthy()
    warnings = [e for e in provider.log_events() if e["message"] == "config.warning"]
    assert any(e["key"] == "auth.jwt.jwtFile" for e in warnings)


def test_a_role_with_token_num_uses_is_named_in_a_warning_at_login(openbao, make_provider):
    tenant = Tenant(openbao)
    tenant.write_role(token_num_uses=25)
    provider = make_provider(tenant).start()
    found = wait_for(
        lambda: [e for e in provider.log_events() if e.get("token_num_uses")],
        "the warning",
    )
    assert (found[0]["message"], found[0]["status"], found[0]["token_num_uses"]) == (
        "auth.login",
        "ok",
        25,
    )
    assert found[0]["level"] == "WARN"
    assert "token_num_uses" in found[0]["reason"]
