"""Clients of the KMS socket that send without end, cancel every call at once, never finish a header or
never read an answer: all calls of the others succeed, and the memory of every process is bounded.
"""

import json
import os
import subprocess
import time

import pytest

from rig import hostile_client
from rig.load import SteadyLoad
from rig.waits import wait_for

CLIENTS = 6  # with a crowd they stay below the 32 connections of one user
SECONDS = float(os.environ.get("BAOKMS_HOSTILE_SECONDS", "3"))
# What a process may have besides what it had before, at any moment: with what the children need, less
# than the unit's MemoryMax.
SUPERVISOR_KIB = 192 * 1024
CHILD_KIB = 8 * 1024


def memory(provider) -> dict:
    """PSS of each process by its id, in KiB."""
    return {process.pid: process.pss_kib for process in provider.processes()}


def peak_during(provider, attackers: subprocess.Popen) -> dict:
    """The most memory of each process until the attackers end."""
    peak = {}
    while attackers.poll() is None:
        for pid, kib in memory(provider).items():
            peak[pid] = max(kib, peak.get(pid, 0))
        time.sleep(0.01)
    return peak


def serves(provider) -> bool:
    """A new client is served as well."""
    with provider.client() as client:
        return client.decrypt(client.encrypt(b"after")) == b"after"


@pytest.mark.alone
@pytest.mark.parametrize("clients", [1, 20], ids=["one", "crowd"])
@pytest.mark.parametrize("deed", sorted(hostile_client.DEEDS))
def test_nobody_else_notices(provider, deed, clients):
    before = memory(provider)
    with SteadyLoad([provider], CLIENTS, pace=0.05) as load:
        wait_for(lambda: load.requests > CLIENTS, "the first answers")
        with hostile_client.running(deed, provider.socket_path, SECONDS, clients) as attackers:
            peak = peak_during(provider, attackers)
            done = json.loads(attackers.stdout.read())
        assert done["connections"] >= clients
        answered = load.requests
        wait_for(lambda: load.requests > answered + 3 * CLIENTS, "answers after the attack")
    assert serves(provider)
    assert load.failures == []
    assert load.unhealthy == 0
    assert provider.pids("bao-kms-worker") <= set(before), "no worker was replaced"
    for pid, kib in before.items():
        more = SUPERVISOR_KIB if pid == provider.daemon.pid else CHILD_KIB
        assert peak[pid] <= kib + more, (pid, peak[pid], kib)
