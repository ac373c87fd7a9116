"""Fixtures of the attacks on running providers."""

import contextlib
import platform

import pytest
from redteam.trees import LEVELS, Tree
from rig.workspace import Workspace


@contextlib.contextmanager
def grown(openbao, level: str):
    """A healthy provider at this isolation level."""
    if platform.machine() != "x86_64":
        pytest.skip("the calls are made with the registers of x86-64")
    workspace = Workspace(f"redteam-{level}")
    made = Tree(workspace, openbao, level)
    yield made
    made.close()
    workspace.close()


@pytest.fixture(scope="session", params=LEVELS)
def tree(request, openbao):
    """A provider at this isolation level. Whoever ends one of its processes waits for the next."""
    with grown(openbao, request.param) as made:
        yield made


@pytest.fixture(params=LEVELS)
def own_tree(request, openbao):
    """A provider at this isolation level that the test may end."""
    with grown(openbao, request.param) as made:
        yield made
