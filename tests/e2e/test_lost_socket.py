"""The KMS socket's file or its directory is removed, replaced or closed to its clients under a running
provider.
"""

import os
import shutil
import socket
import sys

import pytest

from rig.kms import KmsError
from rig.waits import wait_for

NOTICED_SECONDS = 5.0

# Binds the socket as systemd does for a socket unit, and becomes the provider.
ACTIVATE = """
import os, socket, sys
unit = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
unit.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o660)
unit.listen()
os.dup2(unit.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


def answers(provider) -> bool:
    return provider.status().ok


def wait_reachable(provider) -> None:
    wait_for(
        lambda: answers(provider), "the socket", NOTICED_SECONDS, ignoring=(OSError, KmsError)
    )


def wait_missing(provider) -> str:
    """Waits until /ready names the lost socket; returns the reason in the log."""
    wait_for(
        lambda: provider.ready()[1]["reasons"][:1] == ["socket_missing"],
        "/ready to say so",
        NOTICED_SECONDS,
    )
    assert provider.ready()[0] == 503
    assert provider.metrics()["openbao_kms_socket_missing"] == 1
    return events(provider, "socket.missing")[-1]["reason"]


def events(provider, name: str) -> list:
    return [record for record in provider.log_events() if record["message"] == name]


def test_a_removed_socket_is_bound_again_and_connections_go_on(make_provider):
    provider = make_provider().start_healthy()
    before = provider.socket_path.stat()
    with provider.client() as client:
        assert client.status().ok
        for _ in range(2):
            provider.socket_path.unlink()
            wait_reachable(provider)
            after = provider.socket_path.stat()
            assert (after.st_mode, after.st_uid, after.st_gid) == (
                before.st_mode,
                before.st_uid,
                before.st_gid,
            )
            assert client.status().ok, "the connection from before"
    assert provider.metrics()["openbao_kms_socket_rebound_total"] == 2
    assert provider.metrics()["openbao_kms_socket_missing"] == 0
    assert len(events(provider, "socket.rebound")) == 2
    assert provider.ready()[0] == 200
    assert provider.stop() == 0
    assert not provider.socket_path.exists()


@pytest.mark.parametrize(
    "change",
    [lambda path: path.chmod(0), lambda path: os.chown(path, 1234, 1234)],
    ids=["chmod", "chown"],
)
def test_a_socket_that_clients_may_not_open_is_bound_again(make_provider, change):
    provider = make_provider().start_healthy()
    before = provider.socket_path.stat()
    with provider.client() as client:
        assert client.status().ok
        change(provider.socket_path)
        wait_for(lambda: events(provider, "socket.rebound"), "the socket", NOTICED_SECONDS)
        after = provider.socket_path.stat()
        assert (after.st_mode, after.st_uid, after.st_gid) == (
            before.st_mode,
            before.st_uid,
            before.st_gid,
        )
        wait_reachable(provider)
        assert client.status().ok, "the connection from before"
    assert provider.ready()[0] == 200


def test_a_directory_that_is_made_again_gets_its_socket_back(make_provider):
    provider = make_provider().start_healthy()
    folder = provider.socket_path.parent
    with provider.client() as client:
        assert client.status().ok
        shutil.rmtree(folder)
        assert "directory of server.socketPath is missing" in wait_missing(provider)
        folder.mkdir(mode=0o777)
        folder.chmod(0o777)
        wait_for(
            lambda: "not writable by group or others" in wait_missing(provider), "the refusal"
        )
        folder.chmod(0o755)
        wait_reachable(provider)
        assert client.status().ok, "the connection from before"
    wait_for(lambda: provider.ready()[0] == 200, "/ready")
    assert provider.metrics()["openbao_kms_socket_missing"] == 0


def test_a_socket_of_another_process_is_reported_and_left_alone(make_provider):
    provider = make_provider().start_healthy()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        provider.socket_path.unlink()
        other.bind(str(provider.socket_path))
        other.listen()
        theirs = provider.socket_path.stat().st_ino
        assert "another process answers on server.socketPath" in wait_missing(provider)
        assert provider.socket_path.stat().st_ino == theirs
        assert len(events(provider, "socket.missing")) == 1, "once, not at every look"
    wait_reachable(provider)


def test_a_socket_of_another_process_stays_when_the_provider_stops(make_provider):
    provider = make_provider().start_healthy()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        provider.socket_path.unlink()
        other.bind(str(provider.socket_path))
        other.listen()
        assert provider.stop() == 0
        assert provider.socket_path.is_socket()


@pytest.mark.parametrize("comes_back", [False, True])
def test_a_lost_socket_of_systemd_turns_ready_to_503(make_provider, comes_back):
    provider = make_provider()
    provider.daemon.start_through([sys.executable, "-c", ACTIVATE, provider.socket_path])
    provider.start_healthy()
    with provider.client() as client:
        assert client.status().ok
        aside = provider.socket_path.with_name("aside.sock")
        os.rename(provider.socket_path, aside)
        assert "restart the systemd socket unit" in wait_missing(provider)
        assert not provider.socket_path.exists(), "systemd's to bind again"
        assert client.status().ok, "the connection from before"
        if comes_back:
            os.rename(aside, provider.socket_path)
            provider.socket_path.chmod(0o600)  # the administrator's to decide
            wait_for(lambda: provider.ready()[0] == 200, "/ready")
