"""Whether API servers notice that children of the provider are killed, stopped or made to crash all
the time. BAOKMS_SURVIVAL_SECONDS and BAOKMS_SURVIVAL_SEED change the length and the choices.
"""

import collections
import contextlib
import os
import random
import signal
import threading
import time

import grpc
import pytest

from rig import faults
from rig.kms import KmsError
from rig.load import SteadyLoad, decrypt_all
from rig.provider import AGENT, WORKER
from rig.waits import wait_for

SECONDS = float(os.environ.get("BAOKMS_SURVIVAL_SECONDS", "25"))
SEED = int(os.environ.get("BAOKMS_SURVIVAL_SEED", "20"))
PACE = 1.2  # seconds between two signals, on average: 100 in two minutes
CLIENTS = 32
CRASHES = (signal.SIGSEGV, signal.SIGABRT)
ALL = (signal.SIGKILL, *CRASHES, signal.SIGSTOP)
# Each replaced worker logs in. The default allows 12 logins in a minute.
MANY_LOGINS = {"loginBudgetPerMinute": 600}


def provider_with(make_provider, workers: int, timeout: str = "2s", separate=False):
    changes = {
        "isolation": {"workers": workers},
        "auth": MANY_LOGINS,
        "openbao": {"timeout": timeout},
    }
    provider = make_provider(changes=changes, separate=separate)
    provider.start_healthy()
    wait_for(lambda: provider.ready()[1]["workers_ready"] == workers, "all workers")
    return provider


def send_signals(provider, programs, numbers) -> int:
    """Sends signals to random children until SECONDS are over; returns how many it sent."""
    print(f"BAOKMS_SURVIVAL_SEED={SEED} BAOKMS_SURVIVAL_SECONDS={SECONDS:g}")
    dice = random.Random(SEED)
    began, sent = time.monotonic(), 0
    while time.monotonic() - began < SECONDS:
        victims = sorted(pid for program in programs for pid in provider.pids(program))
        if victims:
            with contextlib.suppress(ProcessLookupError):  # it may have ended meanwhile
                os.kill(dice.choice(victims), dice.choice(numbers))
                sent += 1
        time.sleep(dice.uniform(0.5, 1.5) * PACE)
    return sent


@pytest.mark.alone
@pytest.mark.parametrize(
    ("workers", "programs", "numbers"),
    [
        pytest.param(3, (WORKER, AGENT), ALL, id="all-signals"),
        pytest.param(3, (WORKER,), (signal.SIGSTOP,), id="stopped-workers"),
        pytest.param(3, (WORKER,), CRASHES, id="crashes"),
        pytest.param(2, (WORKER,), (signal.SIGKILL,), id="two-workers-killed"),
        pytest.param(2, (WORKER,), (signal.SIGKILL, *CRASHES), id="two-workers-crash"),
    ],
)
def test_clients_notice_nothing_of_what_befalls_children(make_provider, workers, programs, numbers):
    provider = provider_with(make_provider, workers)
    with SteadyLoad([provider], CLIENTS) as load:
        sent = send_signals(provider, programs, numbers)
    failed = collections.Counter((f.operation, f.code.name, f.text) for f in load.failures)
    print(f"{sent} signals, {load.requests} requests, {load.unhealthy} unhealthy: {dict(failed)}")
    assert load.requests > SECONDS * CLIENTS
    assert sent > SECONDS / PACE / 2
    assert not failed
    assert load.unhealthy == 0


def signal_all(provider, program: str, number) -> None:
    for pid in provider.pids(program):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


@pytest.mark.alone
def test_clients_notice_nothing_when_all_children_are_hit_at_once(make_provider):
    # A second passes until stopped children are killed. The default of 2s leaves another one for
    # starts and logins, of which a busy machine can need more.
    provider = provider_with(make_provider, 3, timeout="5s")
    with SteadyLoad([provider], CLIENTS) as load:
        for programs in ((WORKER,), (WORKER, AGENT)):
            for number in ALL:
                for program in programs:
                    signal_all(provider, program, number)
                time.sleep(3)
    failed = collections.Counter((f.operation, f.code.name, f.text) for f in load.failures)
    assert (dict(failed), load.unhealthy) == ({}, 0)
    assert provider.metrics()["openbao_kms_encrypt_self_verified_total"] == 0


def test_the_loss_of_two_of_three_workers_leaves_a_second_opinion(make_provider):
    provider = provider_with(make_provider, 3)
    with provider.client() as client:
        for number in (signal.SIGKILL, *CRASHES) * 3:
            victims = sorted(provider.pids(WORKER))[:2]
            for victim in victims:
                os.kill(victim, number)
            encrypted = client.encrypt(b"verified by a successor")
            assert client.decrypt(encrypted) == b"verified by a successor"
            wait_for(lambda: not provider.pids(WORKER) & set(victims), "their successors")
            wait_for(lambda: provider.ready()[1]["workers_ready"] == 3, "all workers")
    assert provider.metrics()["openbao_kms_encrypt_self_verified_total"] == 0


def test_an_agent_that_hangs_is_replaced_and_no_worker_loses_its_token(make_provider):
    provider = provider_with(make_provider, 2)
    workers, [agent] = provider.pids(WORKER), provider.pids(AGENT)
    logins = provider.metrics()['openbao_kms_auth_login_total{status="ok"}']
    os.kill(agent, signal.SIGSTOP)
    with provider.client() as client:
        while provider.pids(AGENT) <= {agent}:
            assert client.status().ok
            assert client.decrypt(client.encrypt(b"meanwhile")) == b"meanwhile"
    assert provider.pids(WORKER) == workers
    metrics = provider.metrics()
    ended = 'openbao_kms_process_restarts_total{cause="unresponsive",process="auth_agent"}'
    assert metrics[ended] == 1
    assert metrics['openbao_kms_auth_login_total{status="ok"}'] == logins


def test_a_login_that_stalls_leaves_status_healthy_while_a_worker_has_a_token(
    make_provider, https_proxy
):
    changes = {
        "openbao": {"address": https_proxy.address},
        "status": {"deepProbeInterval": "2s", "statusMaxStaleness": "5s"},
        "auth": MANY_LOGINS,
    }
    provider = make_provider(changes=changes).start_healthy()
    wait_for(lambda: provider.ready()[1]["workers_ready"] == 2, "all workers")
    https_proxy.inject(faults.slow_headers(), path="/login")
    with provider.client() as client:
        encrypted = client.encrypt(b"before")
        os.kill(min(provider.pids(WORKER)), signal.SIGKILL)
        end = time.monotonic() + 12  # more than two logins and two statusMaxStaleness
        while time.monotonic() < end:
            assert client.status().ok
            assert client.decrypt(encrypted) == b"before"
            time.sleep(0.1)
        assert provider.ready()[1]["workers_ready"] == 1
        https_proxy.heal()
        wait_for(lambda: provider.ready()[1]["workers_ready"] == 2, "the stalled login")


@pytest.mark.parametrize("separate", [False, True], ids=["single-user", "separate-users"])
def test_killing_the_other_worker_makes_none_verify_its_own_answers(make_provider, separate):
    provider = provider_with(make_provider, 2, separate=separate)
    spared = min(provider.pids(WORKER))
    ended = threading.Event()

    def keep_dead():
        while not ended.wait(0.02):
            for pid in provider.pids(WORKER) - {spared}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=keep_dead)
    killer.start()
    errors = []
    with provider.client() as client:
        try:
            for _ in range(10):
                try:
                    client.encrypt(b"whose word counts")
                except KmsError as error:
                    errors.append((error.code, error.text))
        finally:
            ended.set()
            killer.join()
        wait_for(lambda: client.encrypt(b"after it"), "a second worker", ignoring=(KmsError,))
    assert set(errors) <= {(grpc.StatusCode.UNAVAILABLE, "transit unavailable (temporary)")}
    assert spared in provider.pids(WORKER)
    assert provider.metrics()["openbao_kms_encrypt_self_verified_total"] == 0


@pytest.mark.long
def test_kills_of_the_supervisor_cost_a_restart_each_and_no_data(make_provider):
    provider = provider_with(make_provider, 2)
    # Fewer, because one user may have 32 connections, and the test makes some of its own.
    with SteadyLoad([provider], CLIENTS - 8) as load:
        for _ in range(max(3, round(SECONDS / 6))):  # 20 in two minutes
            provider.kill()
            provider.start_healthy()
            with provider.client() as client:
                assert client.decrypt(client.encrypt(b"right after the start")) != b""
    assert {failure.code for failure in load.failures} <= {
        grpc.StatusCode.UNAVAILABLE,  # nobody listens
        grpc.StatusCode.FAILED_PRECONDITION,  # no key was read yet
    }
    assert decrypt_all(provider, load.encrypted) == len(load.encrypted)
    assert provider.run("rotation-plan").returncode == 0
