"""Children of a running provider that turn hostile: what they do is made in the living processes by a
debugger (rig/tracer.py). Each of them is ended and replaced, and no client notices.
"""

import os
import re
import signal
import struct

import pytest
from redteam.deeds import NO_SIGNAL, SUPERVISOR_CHANNEL, message
from rig import processes, tracer
from rig.provider import AGENT, WORKER
from rig.waits import wait_for

PLAINTEXT = b"kubernetes secret payload"
LABELS = {WORKER: "worker", AGENT: "auth_agent"}
AF_INET, STREAM, SOL_SOCKET, SCM_RIGHTS = 2, 1, 1, 1
PTRACE_SEIZE = 0x4206
# The message types of ipc/message_type.h.
CONNECT_REQUEST, DECRYPT_ANSWER, TOKEN_STATUS, LOGIN_REQUEST, TOKEN, SPAWN = 12, 25, 34, 50, 51, 60
ENDPOINT_99 = bytes([0x08, 1, 0x10, 99])  # id: 1, endpoint: 99


def told(provider, child: str) -> list:
    """(event, why) of everything that the log tells about the ends of children of this kind."""
    why = {"process.breach": "reason", "process.ended": "cause"}
    return [
        (line["message"], line[why[line["message"]]])
        for line in provider.log_events()
        if line.get("message") in why and line["child"].startswith(child)
    ]


def turn_hostile(tree, role: str, act) -> list:
    """Has a process of the role act(pid), which is its end; returns what the log tells of it."""
    tree.look()
    victim = tree.pid_of(role)
    before = told(tree.provider, LABELS[role])
    with tree.provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        act(victim)
        wait_for(lambda: not processes.is_running(victim), f"the end of the {role}")
        assert client.decrypt(encrypted) == PLAINTEXT
        tree.look()
        assert client.decrypt(encrypted) == PLAINTEXT
    return told(tree.provider, LABELS[role])[len(before) :]


def is_counted(tree, role: str, syscall: str) -> bool:
    family = "openbao_kms_seccomp_violations_total"
    series = rf'{family}\{{process="{LABELS[role]}.*",syscall="{syscall}"\}} 1\n'
    return re.search(series, tree.provider.get("/metrics")[1]) is not None


@pytest.mark.parametrize("role", [WORKER, AGENT])
def test_a_refused_call_ends_the_process_and_is_reported(tree, role):
    found = turn_hostile(tree, role, lambda pid: tracer.call_in(pid, "socket", AF_INET, STREAM, 0))
    assert found == [("process.ended", "syscall_socket")]
    assert is_counted(tree, role, "socket")


@pytest.mark.parametrize("role", [WORKER, AGENT])
def test_a_dangerous_call_kills_the_process(tree, role):
    found = turn_hostile(tree, role, lambda pid: tracer.call_in(pid, "ptrace", PTRACE_SEIZE, 1))
    assert found == [("process.ended", "sigsys")]
    assert is_counted(tree, role, "killed")


def send(pid: int, number: int, body: bytes = b"") -> None:
    """One datagram to the supervisor, which may end the process before the call returns."""
    text = struct.pack("<H", number) + body
    tracer.call_in(pid, "sendto", SUPERVISOR_CHANNEL, text, len(text), NO_SIGNAL, 0, 0)


def smuggle(pid: int) -> None:
    """A descriptor with a message that carries none."""
    with tracer.copy_of(pid) as copy:  # which has the same channel
        control = struct.pack("<QiiQ", 20, SOL_SOCKET, SCM_RIGHTS, SUPERVISOR_CHANNEL)
        text = struct.pack("<H", TOKEN_STATUS)
        header = message(copy, control=control, text=text)
        assert copy.call("sendmsg", SUPERVISOR_CHANNEL, header, NO_SIGNAL) == len(text)


# The hostile tests have every violation; these show that a running provider acts on them.
FORGED = [
    (WORKER, "another endpoint than it was configured with", (CONNECT_REQUEST, ENDPOINT_99)),
    (AGENT, "another endpoint than it was configured with", (CONNECT_REQUEST, ENDPOINT_99)),
    (WORKER, "a request for a token", (LOGIN_REQUEST, b"\x0a\x10" + bytes(16))),
    (AGENT, "a token", (TOKEN, bytes(64))),
    (WORKER, "an answer that nobody asked for", (DECRYPT_ANSWER, b"\x08\x63\x10\x01")),
    (AGENT, "a worker's status", (TOKEN_STATUS, b"")),
    (WORKER, "a message over its maximum", (CONNECT_REQUEST, bytes(8192))),
    (AGENT, "an order to the spawner", (SPAWN, b"\x08\x02")),
]


@pytest.mark.parametrize(
    ("role", "sent"),
    [pytest.param(role, sent, id=f"{role}-{what}".replace(" ", "_")) for role, what, sent in FORGED],
)
def test_a_forged_message_ends_its_sender(tree, role, sent):
    found = turn_hostile(tree, role, lambda pid: send(pid, *sent))
    assert [event for event, _ in found] == ["process.breach", "process.ended"], found


@pytest.mark.parametrize("role", [WORKER, AGENT])
def test_a_smuggled_descriptor_ends_its_sender(tree, role):
    found = turn_hostile(tree, role, smuggle)
    assert [event for event, _ in found] == ["process.breach", "process.ended"], found


def test_a_child_that_ignores_the_end_of_its_supervisor_ends_with_it(own_tree):
    """A child ends by itself when its channel does, or by a timer that it can stop."""
    children = [*own_tree.pids[WORKER], *own_tree.pids[AGENT]]
    for pid in children:
        assert tracer.call_in(pid, "timer_settime", 0, 0, bytes(32), 0) == 0
        os.kill(pid, signal.SIGSTOP)
    own_tree.provider.daemon.kill()
    wait_for(lambda: not any(map(processes.is_running, children)), "the children to end", 10)
