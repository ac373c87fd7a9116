"""Deeds in the processes of a running provider: made by a debugger in copies of them, which have the
same memory, user, descriptors and filters (rig/tracer.py, redteam/deeds.py).
"""

import os

import pytest
from redteam.deeds import ANSWERED, DEEDS, DONE, KILLED, REFUSED, SUPERVISOR, outcome
from redteam.trees import ALL_ROLES
from rig import tracer


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.name.replace(" ", "_"))
def test_deed(tree, deed):
    pid, scene = tree.control(deed.by)
    with tracer.copy_of(pid) as copy:
        outside = outcome(deed, copy, scene)
    if deed.control == ANSWERED:
        assert outside not in (REFUSED, KILLED, "ENOSYS")
    else:
        assert outside == deed.control, "outside of a sandbox, the deed has to work"
    tree.was_reached()
    found = {}
    for role in ALL_ROLES:
        with tracer.copy_of(tree.pid_of(role)) as copy:
            found[role] = outcome(deed, copy, tree.scene_of(role))
        if found[role] != DONE:
            assert not tree.was_reached(), f"the {role} has connected"
        tree.was_reached()
    assert found == deed.expected(tree.level)


def test_every_thread_of_the_supervisor_is_confined(tree):
    """gRPC and the listeners have threads of their own."""
    deed = next(deed for deed in DEEDS if deed.name == "execute a program")
    scene = tree.scene_of(SUPERVISOR)
    threads = [int(name) for name in os.listdir(f"/proc/{tree.pid_of(SUPERVISOR)}/task")]
    assert len(threads) > 3
    for thread in threads:
        try:
            with tracer.copy_of(thread) as copy:
                assert outcome(deed, copy, scene) == "EPERM"
        except ProcessLookupError:
            pass  # gRPC ends threads that it does not need
