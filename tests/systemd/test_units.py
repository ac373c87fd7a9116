"""The units of systemd/ under a real systemd, on a node that is booted for each test."""

import json
import os
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

import grpc
import pytest

from rig import processes
from rig.kms import KmsError
from rig.load import SteadyLoad
from rig.node import CONFIG, JWT, SERVICE, SOCKET, SOCKET_PATH, Node
from rig.provider import PROGRAMS
from rig.tenant import Tenant
from rig.tools import RigError
from rig.waits import wait_for

PLAINTEXT = b"kubernetes secret payload"
MOST_EXPOSED = {False: "12", True: "16"}  # systemd-analyze security, in tenths
CREDENTIAL = f"/run/credentials/{SERVICE}/identity.jwt"
TWO, NONE = "00000000000000c0", "0000000000000000"  # CAP_SETUID and CAP_SETGID; no capability


@pytest.fixture
def node(workspace, openbao):
    """A booted node; the service is neither enabled nor started."""
    return Node(workspace, Tenant(openbao)).boot()


@pytest.fixture
def serving(node):
    """A node whose service is enabled and healthy."""
    return node.enable().wait_healthy()


@pytest.fixture(params=[False, True], ids=["single-user", "separate-users"])
def leveled(request, workspace, openbao):
    """A booted node at each isolation level."""
    return Node(workspace, Tenant(openbao), separate=request.param).boot()


def ready(node) -> dict:
    with urllib.request.urlopen(f"http://127.0.0.1:{node.health_port}/ready") as answer:
        return json.load(answer)


def works(node, encrypted=None) -> bool:
    with node.client() as client:
        return client.decrypt(encrypted or client.encrypt(PLAINTEXT)) == PLAINTEXT


def encrypt(node):
    with node.client() as client:
        return client.encrypt(PLAINTEXT)


def test_the_service_is_up_before_openbao_and_says_how_it_is(workspace, own_openbao):
    node = Node(workspace, Tenant(own_openbao)).boot()
    own_openbao.kill()
    node.enable()
    assert node.show("ActiveState") == "active"
    assert node.show("StatusText").startswith(("accepting clients", "unhealthy"))
    own_openbao.restart()
    node.wait_healthy()
    wait_for(lambda: node.show("StatusText").startswith("healthy, key version 1"), "the status line")
    assert "openbao.blocked" not in node.journal()
    assert works(node)


def test_no_process_has_a_right_it_could_lose(serving):
    user = serving.run("id", "--user", "openbao-kms")
    found = serving.processes()
    assert len(found) == 5
    for process in found:
        assert (str(process.uid), process.seccomp, process.no_new_privs) == (user, "filter", True)
        status = Path(f"/proc/{process.pid}/status").read_text()
        for right in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert f"{right}:\t0000000000000000\n" in status
    stat = serving.run("stat", "--format=%U:%G %a", SOCKET_PATH, "/run/openbao-kms")
    assert stat.splitlines() == [
        "openbao-kms:openbao-kms-socket 660",
        "openbao-kms:openbao-kms-socket 2750",
    ]


def test_secrets_are_in_memory_that_root_cannot_read(leveled):
    node = leveled.enable().wait_healthy()
    children = processes.running(node.processes(), PROGRAMS[2:])
    assert len(children) == 3
    for child in children:
        assert " /secretmem (deleted)" in Path(f"/proc/{child.pid}/maps").read_text()


def test_systemd_finds_little_exposed(leveled):
    leveled.run("systemd-analyze", "verify", "--man=no", SERVICE, SOCKET)
    options = ("--no-pager", "--offline=true", f"--threshold={MOST_EXPOSED[leveled.separate]}")
    leveled.run("systemd-analyze", "security", *options, SERVICE)


def test_each_role_has_its_user(workspace, openbao):
    node = Node(workspace, Tenant(openbao), separate=True).boot().enable().wait_healthy()
    users = {
        PROGRAMS[0]: "openbao-kms",
        "bao-kms-spawner": "openbao-kms",
        "bao-kms-worker": "openbao-kms-worker",
        "bao-kms-authagent": "openbao-kms-auth",
    }
    found = node.processes()
    assert len(found) == 5
    for process in found:
        program = processes.program(process.pid)
        assert str(process.uid) == node.run("id", "--user", users[program])
        assert (process.seccomp, process.no_new_privs) == ("filter", True)
        status = Path(f"/proc/{process.pid}/status").read_text()
        for right in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            kept = program == "bao-kms-spawner" and right in ("CapPrm", "CapEff")
            assert f"{right}:\t{TWO if kept else NONE}\n" in status
    assert ready(node)["isolation"]["level"] == "separate-users"
    state = "/var/lib/openbao-kms/state/key-registry.json"
    assert {user for user in users.values() if node.reads(user, JWT)} == {"openbao-kms-auth"}
    assert {user for user in users.values() if node.reads(user, state)} == {"openbao-kms"}
    encrypted = encrypt(node)
    for victim in PROGRAMS:
        pid = processes.running(node.processes(), [victim])[0].pid
        os.kill(pid, signal.SIGKILL)
        wait_for(
            lambda: pid not in [p.pid for p in node.processes()] and len(node.processes()) == 5,
            "its successor",
            ignoring=(OSError,),
        )
        wait_for(lambda: works(node, encrypted), "Decrypt", ignoring=(KmsError,))
        node.wait_healthy()


ISOLATION = ("bao-kms-provider", "isolation", "--config", CONFIG)


def verdicts(node) -> dict:
    """What the command isolation says about each promise: status and message."""
    report = json.loads(node.run(*ISOLATION, "--output", "json"))
    return {row["id"]: (row["status"], row.get("message", "")) for row in report["checks"]}


def test_the_command_isolation_shows_the_promised_level(leveled):
    leveled.enable().wait_healthy()
    found = verdicts(leveled)
    level = "separate-users" if leveled.separate else "single-user"
    status, message = found["promise.users"]
    assert (status, message.partition(":")[0]) == ("pass" if leveled.separate else "warn", level)
    weaker = {"promise.users", "promise.credentials"}  # with one user
    unknown = {"promise.landlock", "promise.secret_pages"}  # the kernel decides
    assert {name for name, (status, _) in found.items() if status != "pass"} - unknown <= (
        set() if leveled.separate else weaker
    )
    text = leveled.run(*ISOLATION)
    for name, (status, message) in found.items():
        assert any(
            name in line and status in line.lower() and message in line for line in text.splitlines()
        ), name
    command = leveled.inside(*ISOLATION, "--watch")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
        lines = [watch.stdout.readline() for _ in text.splitlines()]
        assert any("promise.users" in line and level in line for line in lines)
        leveled.run("systemctl", "stop", SOCKET, SERVICE)
        _, errors = watch.communicate(timeout=60)
        assert (watch.returncode, errors) == (4, "the provider has ended\n")


def test_the_command_isolation_tells_when_no_list_of_addresses_is_in_force(node):
    node.drop_in("[Service]\nIPAddressDeny=\nIPAddressAllow=\nIPAccounting=yes\n")
    node.enable().wait_healthy()
    assert verdicts(node)["promise.network"][0] == "warn"


def test_without_a_configuration_the_service_says_so_while_a_client_waits(node):
    text = (node.root / CONFIG.lstrip("/")).read_text()
    node.run("rm", CONFIG)
    node.drop_in("[Service]\nRestartSec=1s\n")
    node.run("systemctl", "start", SOCKET)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(f"/proc/{node.leader}/root{SOCKET_PATH}")
        wait_for(lambda: int(node.show("NRestarts")) >= 2, "a second attempt")
        assert CONFIG in node.journal()
        # Process 1 does not spin: a skipped service would be started again at once, without end.
        assert node.journal().count("\n") < 20 * (int(node.show("NRestarts")) + 1)
        node.write(CONFIG, text, "openbao-kms")
        node.wait_healthy()


def test_a_directory_of_the_socket_that_is_missing_is_made(node):
    node.run("rm", "-r", str(Path(SOCKET_PATH).parent))
    node.enable().wait_healthy()
    assert works(node)


def test_the_service_reaches_no_address_that_is_not_allowed(serving):
    """The unit allows the addresses of this machine, OpenBao's among them; then none."""
    serving.drop_in("[Service]\nIPAddressAllow=\n")
    serving.run("systemctl", "restart", SERVICE)
    wait_for(lambda: "unhealthy" in serving.show("StatusText"), "the loss of OpenBao")
    # For TCP the kernel only says that the connection times out.
    wait_for(lambda: "IPAddressAllow= in allowed-addresses.conf" in serving.journal(), "the reason")


def test_a_restart_costs_each_client_one_call_at_most(serving):
    clients, restarts = 8, 3
    first = serving.processes()[0].pid
    with SteadyLoad([serving], count=clients, pace=0.05) as load:
        for _ in range(restarts):
            serving.run("systemctl", "restart", SERVICE)
            used = len(load.encrypted)
            wait_for(lambda: len(load.encrypted) > used + 8, "calls after the restart")
    # What reaches the old process in the instant in which it takes no more calls; gRPC's own text.
    cut = [f for f in load.failures if f.code == grpc.StatusCode.CANCELLED]
    assert len(cut) <= clients * restarts
    # An Encrypt waits for nobody: it is refused until the key is verified again.
    assert {(f.operation, f.text) for f in load.failures if f not in cut} <= {
        ("encrypt", "status unavailable (temporary)")
    }
    assert serving.processes()[0].pid != first


def test_a_call_waits_for_a_service_that_is_stopped(serving):
    encrypted = encrypt(serving)
    serving.run("systemctl", "stop", SERVICE)
    assert not serving.processes()
    assert works(serving, encrypted)  # the socket unit starts it
    assert serving.show("ActiveState") == "active"


@pytest.mark.parametrize("victim", PROGRAMS)
def test_the_service_outlives_the_kill_of_any_process(serving, victim):
    encrypted = encrypt(serving)
    pid = processes.running(serving.processes(), [victim])[0].pid
    os.kill(pid, signal.SIGKILL)
    wait_for(
        lambda: pid not in [p.pid for p in serving.processes()] and len(serving.processes()) == 5,
        "its successor",
        ignoring=(OSError,),
    )
    wait_for(lambda: works(serving, encrypted), "Decrypt", ignoring=(KmsError,))
    serving.wait_healthy()
    restarted = victim in PROGRAMS[:2]  # a worker or the agent is the supervisor's to replace
    assert serving.show("NRestarts") == ("1" if restarted else "0")


def test_a_supervisor_that_hangs_is_replaced_by_the_watchdog(node):
    node.drop_in("[Service]\nWatchdogSec=3s\nTimeoutAbortSec=1s\n")
    node.enable().wait_healthy()
    encrypted = encrypt(node)
    os.kill(node.processes()[0].pid, signal.SIGSTOP)
    wait_for(lambda: node.show("NRestarts") == "1", "the restart")
    assert "Watchdog timeout" in node.journal()
    wait_for(lambda: works(node, encrypted), "Decrypt", ignoring=(KmsError,))


def test_reload_is_a_sighup(serving):
    serving.run("systemctl", "reload", SERVICE)
    wait_for(lambda: '"message":"config.reload"' in serving.journal(), "the record of it")
    assert serving.show("NRestarts") == "0"
    assert works(serving)


def test_the_jwt_may_be_a_credential_of_systemd(leveled):
    node = leveled
    node.run("chmod", "0600", JWT)
    node.run("chgrp", "root", JWT)  # the service itself cannot read it
    node.drop_in(f"[Service]\nLoadCredential=identity.jwt:{JWT}\n")
    node.configure({"auth": {"jwt": {"jwtFile": "${CREDENTIALS_DIRECTORY}/identity.jwt"}}})
    node.enable().wait_healthy()
    assert works(node)
    assert ready(node)["auth"]["credential"] == "ok"
    assert node.reads("openbao-kms", CREDENTIAL)
    assert not node.reads("openbao-kms-auth", CREDENTIAL)


def test_a_configuration_that_is_wrong_is_told_in_the_journal_and_tried_again(node):
    node.drop_in("[Service]\nRestartSec=1s\n")
    good = node.config["openbao"]["address"]
    node.configure({"openbao": {"address": "http://127.0.0.1:1"}})
    with pytest.raises(RigError, match="failed"):
        node.enable()
    wait_for(lambda: "openbao.address" in node.journal(), "the reason")
    node.configure({"openbao": {"address": good}})
    node.wait_healthy()
