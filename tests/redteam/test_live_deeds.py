"""Deeds in the processes of a running provider: made by a debugger in copies of them, which have the
same memory, user, descriptors and filters (rig/tracer.py, redteam/deeds.py).
"""

import pytest
from redteam.deeds import ANSWERED, DEEDS, DONE, REFUSED, KILLED, outcome
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
