"""Deeds in the auth agent of a running provider that logs in through a PKCS#11 module: in the thread
that runs the vendor's code, and in the one with the network and the tokens.
"""

import os
import socket

import pytest
from redteam.deeds import DEEDS, DONE, KILLED, REFUSED, Scene, outcome
from rig import processes, tracer
from rig.hsm_setup import HsmSetup
from rig.provider import AGENT, WORKER, Provider
from rig.waits import wait_for
from rig.workspace import Workspace

NO = "EACCES"  # vendor code tries these at each login, and goes on without
MODULE = {
    "read a file of the system": DONE,
    "read a file of other programs": DONE,
    "read the credential": DONE,
    "read the registry": DONE,
    "write the credential": NO,
    "write the registry": NO,
    "create a file": NO,
    "list a directory": DONE,
    "make a directory": NO,
    "remove a file": NO,
    "make an internet socket": NO,
    "make a local socket": NO,
    "make a local datagram socket": NO,
    "make a netlink socket": NO,
    "make a packet socket": NO,
    "connect to an abstract socket": NO,
    "connect elsewhere": NO,
    "connect elsewhere by MPTCP": NO,
    "fork by the new call": "ENOSYS",
    "take a gigabyte of memory": "ENOMEM",
    "reserve a terabyte to read": "ENOMEM",
    "take a gigabyte of shared memory": DONE,
    "take a gigabyte for a stack": DONE,
    "open a process's memory": NO,
    "open a process's memory to read": NO,
    "read a process's environment": NO,
    "read where a process's memory is": NO,
    "open a process's descriptor": NO,
    "write its own code": NO,
    "add a filter": DONE,
}
# This provider's user is that of the machine's root, without capabilities. The directory belongs to
# root; nothing in it can be opened.
OF_ROOT = {"list a process's descriptors": DONE}
# Landlock leaves the reading of files to an agent with a module, whose code reads where it likes.
READS = {
    name: DONE
    for name in (
        "read a file of the system",
        "read a file of other programs",
        "read the registry",
    )
}


@pytest.fixture(scope="module")
def agent(openbao):
    """(process id of the agent, that of its vendor thread, Scene)"""
    workspace = Workspace("redteam-module")

    def make(tenant, changes):
        provider = Provider(workspace, tenant, changes)
        provider.install_policy()
        return provider

    with socket.create_server(("127.0.0.1", 0)) as listener:
        setup = HsmSetup(workspace, make, openbao)
        provider = setup.provider.start_healthy()
        wait_for(lambda: provider.ready()[1]["workers_ready"] == 2, "tokens for the workers")
        [pid] = provider.pids(AGENT)
        [vendor] = (int(task) for task in os.listdir(f"/proc/{pid}/task") if int(task) != pid)
        worker = min(provider.pids(WORKER))
        scene = Scene(
            sibling=worker,
            address=processes.stack_of(worker),
            folder=provider.folder,
            credential=setup.hsm.pin_file,
            registry=provider.folder / "state" / "key-registry.json",
            port=listener.getsockname()[1],
            abstract=b"nobody",
            worker_user=os.geteuid(),
        )
        yield pid, vendor, scene
    workspace.close()


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.name.replace(" ", "_"))
def test_deed_of_a_module(agent, deed):
    pid, vendor, scene = agent
    with tracer.copy_of(vendor) as copy:
        by_vendor = outcome(deed, copy, scene)
    with tracer.copy_of(pid) as copy:
        by_loop = outcome(deed, copy, scene)
    usual = KILLED if deed.agent == KILLED else REFUSED
    assert by_vendor == {**MODULE, **OF_ROOT}.get(deed.name, usual)
    assert by_loop == {**READS, **OF_ROOT}.get(deed.name, deed.agent)
