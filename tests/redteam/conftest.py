"""Fixtures of the attacks on running providers."""

import platform

import pytest
from redteam.trees import LEVELS, Tree
from rig.workspace import Workspace


@pytest.fixture(scope="session", params=LEVELS)
def tree(request, openbao):
    """A provider at this isolation level. Whoever ends one of its processes waits for the next."""
    if platform.machine() != "x86_64":
        pytest.skip("the calls are made with the registers of x86-64")
    workspace = Workspace(f"redteam-{request.param}")
    made = Tree(workspace, openbao, request.param)
    yield made
    made.close()
    workspace.close()
