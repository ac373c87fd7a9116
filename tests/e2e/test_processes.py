"""What happens when one of the provider's own processes dies or hangs, when it is started twice, and
when it is told to reload.
"""

import os
import signal
import threading

import grpc
import pytest
import yaml

from rig import faults, processes
from rig.kms import KmsError
from rig.waits import wait_for

PLAINTEXT = b"kubernetes secret payload"
WORKER, AGENT = "bao-kms-worker", "bao-kms-authagent"


def pids(provider, program: str) -> set:
    found = set()
    for process in provider.processes():
        try:
            if processes.program(process.pid) == program:
                found.add(process.pid)
        except FileNotFoundError:
            pass  # it ended in between
    return found


def works(client, encrypted) -> bool:
    return client.decrypt(encrypted) == PLAINTEXT


def is_replaced(provider, program: str, victim: int, count: int) -> bool:
    now = pids(provider, program)
    return victim not in now and len(now) == count


@pytest.mark.parametrize(
    ("program", "number"),
    [
        (WORKER, signal.SIGKILL),
        (WORKER, signal.SIGSEGV),
        (AGENT, signal.SIGKILL),
        (AGENT, signal.SIGSEGV),
        (AGENT, signal.SIGSTOP),
    ],
)
def test_a_child_that_dies_is_replaced_unnoticed(provider, kms, program, number):
    encrypted = kms.encrypt(PLAINTEXT)
    before = pids(provider, program)
    victim = min(before)
    os.kill(victim, number)
    for _ in range(20):
        assert kms.decrypt(encrypted) == PLAINTEXT
    wait_for(lambda: is_replaced(provider, program, victim, len(before)), f"another {program}")
    assert works(kms, encrypted)
    provider.wait_healthy()


def test_a_worker_that_hangs_costs_a_deadline_at_most_and_is_replaced(provider, kms):
    encrypted = kms.encrypt(PLAINTEXT)
    before = pids(provider, WORKER)
    victim = min(before)
    os.kill(victim, signal.SIGSTOP)
    while not is_replaced(provider, WORKER, victim, len(before)):
        try:
            assert kms.decrypt(encrypted) == PLAINTEXT
        except KmsError as error:
            assert error.code == grpc.StatusCode.DEADLINE_EXCEEDED
    wait_for(lambda: works(kms, encrypted), "Decrypt after it", ignoring=(KmsError,))
    provider.wait_healthy()


def test_the_end_of_the_spawner_ends_serve_with_exit_5(provider, kms):
    encrypted = kms.encrypt(PLAINTEXT)
    worker = min(pids(provider, WORKER))
    spawner = processes.read(worker).parent
    os.kill(spawner, signal.SIGKILL)
    assert provider.daemon.wait_exit() == 5
    wait_for(lambda: not processes.is_running(worker), "the end of the worker")
    provider.start_healthy()
    with provider.client() as client:
        assert works(client, encrypted)


def test_a_second_instance_is_refused_and_the_first_goes_on(provider, kms):
    encrypted = kms.encrypt(PLAINTEXT)
    second = provider.run("serve", check=False)
    assert second.returncode == 5
    assert "lock" in second.stderr
    assert works(kms, encrypted)


def test_reload_applies_tunables_and_refuses_what_is_sealed(provider, kms):
    def reload_records():
        return [e for e in provider.log_events() if e["message"] == "config.reload"]

    config = yaml.safe_load(provider.config_path.read_text())
    config.setdefault("logging", {})["level"] = "debug"
    provider.config_path.write_text(yaml.safe_dump(config))
    provider.signal(signal.SIGHUP)
    wait_for(lambda: any(e["status"] == "ok" for e in reload_records()), "the reload")
    assert kms.decrypt(kms.encrypt(PLAINTEXT)) == PLAINTEXT
    wait_for(
        lambda: any(e["message"] == "openbao.request" for e in provider.log_events()),
        "debug records",
    )

    config["openbao"]["tlsServerName"] = "other.example"
    config["logging"]["level"] = "error"
    provider.config_path.write_text(yaml.safe_dump(config))
    provider.signal(signal.SIGHUP)
    wait_for(
        lambda: any(
            e["status"] == "refused_needs_restart" and e["key"] == "openbao.tlsServerName"
            for e in reload_records()
        ),
        "the refusal",
    )
    assert kms.decrypt(kms.encrypt(PLAINTEXT)) == PLAINTEXT


def test_calls_over_the_limit_are_refused_at_once(make_provider, https_proxy):
    provider = make_provider(
        changes={
            "openbao": {"address": https_proxy.address},
            "server": {"maxConcurrentDecrypt": 1},
        }
    ).start_healthy()
    with provider.client() as first, provider.client() as second:
        one, other = first.encrypt(PLAINTEXT), first.encrypt(PLAINTEXT)
        https_proxy.inject(faults.slow_headers(), path="/decrypt/")
        held = threading.Thread(target=lambda: _swallow(lambda: first.decrypt(one)))
        held.start()
        try:
            wait_for(lambda: https_proxy.seen("/decrypt/")[2:], "the first Decrypt at OpenBao")
            with pytest.raises(KmsError) as raised:
                second.decrypt(other)
        finally:
            https_proxy.heal()
            held.join()
        assert raised.value.code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert raised.value.text == "kms request concurrency limit reached (temporary)"


def _swallow(call) -> None:
    try:
        call()
    except KmsError:
        pass  # what became of the held call is not the question
