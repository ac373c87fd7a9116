"""What happens when one of the provider's own processes dies or hangs, when it is started twice, and
when it is told to reload.
"""

import ctypes
import errno
import functools
import os
import shutil
import signal
import socket
import threading
from concurrent import futures
from pathlib import Path

import grpc
import pytest
import yaml

from rig import faults, processes
from rig.kms import KmsError
from rig.provider import AGENT, SPAWNER, WORKER
from rig.tools import provider_binary
from rig.waits import wait_for

PLAINTEXT = b"kubernetes secret payload"
NOBODY = 65534
LIBC = ctypes.CDLL(None)
PIDFD_GETFD = 438  # the same number on every architecture


def works(client, encrypted) -> bool:
    return client.decrypt(encrypted) == PLAINTEXT


def is_replaced(provider, program: str, victim: int, count: int) -> bool:
    now = provider.pids(program)
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
    before = provider.pids(program)
    victim = min(before)
    os.kill(victim, number)
    for _ in range(20):
        assert kms.decrypt(encrypted) == PLAINTEXT
    wait_for(lambda: is_replaced(provider, program, victim, len(before)), f"another {program}")
    assert works(kms, encrypted)
    provider.wait_healthy()


def shut_down_channels(pid: int) -> None:
    """What the process could do itself with shutdown(2): ruins all its channels but that to the
    supervisor, for everybody who holds an end of them.
    """
    process = os.pidfd_open(pid)
    numbers = [
        int(name)
        for name in os.listdir(f"/proc/{pid}/fd")
        if os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:") and name != "3"
    ]
    # All before the first is shut down, for which the process may be killed.
    taken = [
        socket.socket(fileno=LIBC.syscall(PIDFD_GETFD, process, number, 0)) for number in numbers
    ]
    for channel in taken:
        if channel.family == socket.AF_UNIX:
            channel.shutdown(socket.SHUT_RDWR)
        channel.close()
    os.close(process)


@pytest.mark.parametrize("separate", [False, True], ids=["single-user", "separate-users"])
def test_a_worker_that_ruins_its_channels_costs_its_own_life_only(make_provider, separate):
    provider = make_provider(separate=separate).start_healthy()
    before = provider.pids(WORKER)
    victim = min(before)
    with provider.client() as kms:
        encrypted = kms.encrypt(PLAINTEXT)
        shut_down_channels(victim)
        wait_for(lambda: is_replaced(provider, WORKER, victim, len(before)), "its successor")
        wait_for(lambda: provider.ready()[1]["workers_ready"] == len(before), "a token for it")
        assert works(kms, encrypted)
    assert provider.pids(WORKER) > before - {victim}, "another worker ended too"


def test_workers_keep_their_tokens_while_the_agent_is_replaced(provider, kms):
    encrypted = kms.encrypt(PLAINTEXT)
    workers = provider.pids(WORKER)
    [agent] = provider.pids(AGENT)
    shut_down_channels(agent)
    wait_for(lambda: is_replaced(provider, AGENT, agent, 1), "another agent")
    assert provider.pids(WORKER) == workers
    assert provider.ready()[1]["workers_ready"] == len(workers)
    victim = min(workers)
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: is_replaced(provider, WORKER, victim, len(workers)), "its successor")
    wait_for(lambda: provider.ready()[1]["workers_ready"] == len(workers), "a token for it")
    assert works(kms, encrypted)


def failures_of(call, until) -> list:
    """Calls again and again until until() says so; what failed on the way."""
    failed = []
    while not until():
        try:
            call()
        except KmsError as error:
            failed.append(error)
    return failed


def test_a_worker_that_hangs_costs_no_request_and_is_replaced(provider, kms):
    callers = 8
    clients = [provider.client() for _ in range(callers)]
    own = [client.encrypt(PLAINTEXT) for client in clients]  # equal Decrypts would share a call
    calls = [functools.partial(works, *pair) for pair in zip(clients, own)]
    calls.append(lambda: kms.encrypt(PLAINTEXT))
    before = provider.pids(WORKER)
    victim = min(before)
    replaced = threading.Event()
    with futures.ThreadPoolExecutor(len(calls)) as pool:
        running = [pool.submit(failures_of, call, replaced.is_set) for call in calls]
        os.kill(victim, signal.SIGSTOP)
        try:
            wait_for(lambda: is_replaced(provider, WORKER, victim, len(before)), "its successor")
        finally:
            replaced.set()
        failed = [task.result() for task in running]
    assert not any(failed), failed
    assert works(kms, own[0])
    for client in clients:
        client.close()
    provider.wait_healthy()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_the_end_of_the_spawner_ends_serve_with_exit_5(provider, kms, number):
    encrypted = kms.encrypt(PLAINTEXT)
    worker = min(provider.pids(WORKER))
    spawner = processes.read(worker).parent
    os.kill(spawner, number)  # one that is stopped is killed by its own timer, after 15 s
    assert provider.daemon.wait_exit() == 5
    ended = [e for e in provider.log_events() if e["message"] == "process.ended"]
    assert ("spawner", spawner, "sigkill") in [
        (event["child"], event["child_pid"], event["cause"]) for event in ended
    ]
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


@pytest.mark.parametrize("missing", [SPAWNER, WORKER, AGENT])
def test_a_program_that_is_not_installed_is_named(make_provider, monkeypatch, tmp_path, missing):
    own = Path(provider_binary())
    for name in {own.name, SPAWNER, WORKER, AGENT} - {missing}:
        shutil.copy(own.with_name(name), tmp_path)
    monkeypatch.setenv("BAOKMS_BIN", str(tmp_path))
    ended = make_provider().run("serve", check=False)
    assert ended.returncode == 5
    assert f"{missing} is not installed beside bao-kms-provider" in ended.stderr


def test_a_program_that_can_be_read_is_refused(make_provider, monkeypatch, tmp_path):
    own = Path(provider_binary())
    for name in (own.name, SPAWNER, WORKER, AGENT):
        shutil.copy(own.with_name(name), tmp_path)
    (tmp_path / AGENT).chmod(0o511)
    monkeypatch.setenv("BAOKMS_BIN", str(tmp_path))
    ended = make_provider().run("serve", check=False)
    assert ended.returncode == 3
    paths = " ".join(str(tmp_path / name) for name in (SPAWNER, WORKER, AGENT))
    assert f"{tmp_path / AGENT} can be read" in ended.stderr
    assert f"; run chown root:root {paths} && chmod 0111 {paths}\n" in ended.stderr


def test_a_child_that_cannot_start_says_why_in_the_log(make_provider, monkeypatch, tmp_path):
    own = Path(provider_binary())
    for name in (own.name, SPAWNER, WORKER, AGENT):
        shutil.copy(own.with_name(name), tmp_path)
    (tmp_path / WORKER).chmod(0)  # opens, but cannot be executed
    monkeypatch.setenv("BAOKMS_BIN", str(tmp_path))
    provider = make_provider().start()

    def failures():
        return [e for e in provider.log_events() if e["message"] == "process.start_failed"]

    wait_for(failures, "the record of a failed start")
    first = failures()[0]
    assert first["child"] in ("worker_0", "worker_1")
    assert first["step"] == "execveat of the child's program"
    assert (first["error"], first["errno"]) == ("system", errno.EACCES)


@pytest.mark.parametrize("role", [WORKER, AGENT])
def test_a_child_that_refuses_its_set_up_ends_the_start(make_provider, monkeypatch, tmp_path, role):
    own = Path(provider_binary())
    for name in {own.name, SPAWNER, WORKER, AGENT} - {role}:
        shutil.copy(own.with_name(name), tmp_path)
    shutil.copy(own.parents[1] / "tests" / "refusing_child", tmp_path / role)
    (tmp_path / role).chmod(0o111)
    monkeypatch.setenv("BAOKMS_BIN", str(tmp_path))
    provider = make_provider()
    provider.daemon.start()
    assert provider.daemon.wait_exit() == 3
    assert (
        "config invalid; a child process refuses its set-up: set-up: openbao.tlsServerName\n"
        in provider.daemon.log_text()
    )
    [stopping] = [e for e in provider.log_events() if e["message"] == "serve.stopping"]
    assert stopping["reason"] == "set_up_refused"


def reload_records(provider) -> list:
    return [e for e in provider.log_events() if e["message"] == "config.reload"]


def test_reload_applies_tunables_and_refuses_what_is_sealed(provider, kms):
    config = yaml.safe_load(provider.config_path.read_text())
    config.setdefault("logging", {})["level"] = "debug"
    provider.config_path.write_text(yaml.safe_dump(config))
    provider.signal(signal.SIGHUP)
    wait_for(lambda: any(e["status"] == "ok" for e in reload_records(provider)), "the reload")
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
            for e in reload_records(provider)
        ),
        "the refusal",
    )
    assert kms.decrypt(kms.encrypt(PLAINTEXT)) == PLAINTEXT


def test_reload_follows_the_symbolic_links_of_root(make_provider):
    provider = make_provider()
    ca_link = provider.folder / "authorities.pem"
    ca_link.symlink_to(provider.config["openbao"]["caCertFile"])
    provider.write_config(
        {
            "openbao": {"caCertFile": str(ca_link)},
            "server": {"socketPath": f"/var{provider.socket_path}"},  # /var/run leads to /run
        }
    )
    provider.start_healthy()
    provider.write_config({"logging": {"level": "debug"}})
    provider.signal(signal.SIGHUP)

    def outcomes():
        return [(event["status"], event.get("key")) for event in reload_records(provider)]

    wait_for(outcomes, "the reload")
    wait_for(lambda: outcomes()[-1] != ("applied", "logging.level"), "the end of the reload")
    assert outcomes() == [("applied", "logging.level"), ("ok", None)]

    os.lchown(ca_link, NOBODY, NOBODY)
    provider.signal(signal.SIGHUP)
    wait_for(lambda: len(outcomes()) > 2, "the refusal of a link that is not root's")
    assert outcomes()[2][0] == "invalid"
    assert "openbao.caCertFile: is a symbolic link" in outcomes()[2][1]


@pytest.mark.parametrize("method", ["encrypt", "decrypt"])
@pytest.mark.parametrize("when", ["start", "reload"])
def test_calls_over_the_limit_are_refused_at_once(make_provider, https_proxy, method, when):
    provider = make_provider(changes={"openbao": {"address": https_proxy.address}})
    limit = {"server": {f"maxConcurrent{method.capitalize()}": 1}}
    if when == "start":
        provider.write_config(limit)
    provider.start_healthy()
    if when == "reload":
        provider.write_config(limit)
        provider.signal(signal.SIGHUP)
        wait_for(lambda: any(e["status"] == "ok" for e in reload_records(provider)), "the reload")
    with provider.client() as first, provider.client() as second:
        one, other = first.encrypt(PLAINTEXT), first.encrypt(PLAINTEXT)
        https_proxy.inject(faults.slow_headers(), path=f"/{method}/")
        calls = {
            "encrypt": (lambda: first.encrypt(PLAINTEXT), lambda: second.encrypt(PLAINTEXT)),
            "decrypt": (lambda: first.decrypt(one), lambda: second.decrypt(other)),
        }
        hold, over = calls[method]
        in_flight = f'openbao_kms_grpc_in_flight{{method="{method}"}}'
        held = threading.Thread(target=lambda: _swallow(hold))
        held.start()
        try:
            wait_for(lambda: provider.metrics().get(in_flight) == 1, "the first call")
            with pytest.raises(KmsError) as raised:
                over()
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
