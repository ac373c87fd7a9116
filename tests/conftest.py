"""Fixtures of the Python tests. What they return is documented in tests/rig."""

import pytest

from rig.https_proxy import HttpsProxy
from rig.keycloak import Keycloak
from rig.openbao import OpenBao
from rig.provider import Provider
from rig.tcp_proxy import TcpProxy
from rig.tenant import Tenant
from rig.workspace import Workspace


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the end of each program's log to the report of a test that failed."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        workspaces = [f for f in getattr(item, "funcargs", {}).values() if isinstance(f, Workspace)]
        for workspace in workspaces:
            report.sections.append((f"logs in {workspace.root}", workspace.log_tails()))


def pytest_collection_modifyitems(items):
    """Lets several pytest processes share the tests well: those that need Keycloak, which takes
    long to start, go to one of them, and no long test is left for the end.
    """
    for item in items:
        if "keycloak" in item.fixturenames:
            item.add_marker(pytest.mark.xdist_group("keycloak"))
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def session_workspace():
    """The folder and the programs that live as long as the whole run."""
    workspace = Workspace("session")
    yield workspace
    workspace.close()


@pytest.fixture(scope="session")
def openbao(session_workspace):
    """One OpenBao for all tests. Never stop, seal or reconfigure it: use own_openbao for that."""
    return OpenBao(session_workspace).start()


@pytest.fixture(scope="session")
def keycloak(session_workspace):
    """One Keycloak for all tests. A test that stops it or changes its secret puts that right."""
    return Keycloak(session_workspace).start()


@pytest.fixture(scope="session")
def shared_provider(session_workspace, openbao):
    """A healthy provider for tests that only send requests. Never stop, signal or reconfigure it.
    """
    provider = Provider(session_workspace, Tenant(openbao), name="shared-provider")
    provider.install_policy()
    return provider.start_healthy()


@pytest.fixture
def shared_kms(shared_provider):
    """A KMS v2 client of shared_provider."""
    with shared_provider.client() as client:
        yield client


@pytest.fixture
def workspace():
    """The folder and the programs of one test."""
    workspace = Workspace("test")
    yield workspace
    workspace.close()


@pytest.fixture
def own_openbao(workspace):
    """An OpenBao for this test alone, which it may kill, seal and restart."""
    return OpenBao(workspace).start()


@pytest.fixture
def make_provider(request, workspace):
    """make_provider(tenant=None, changes=None, policy=True, name="provider", separate=False) ->
    Provider, not yet started.

    Without a tenant a new one is made in the shared OpenBao.
    """

    def make(tenant=None, changes=None, policy=True, name="provider", separate=False):
        tenant = tenant or Tenant(request.getfixturevalue("openbao"))
        provider = Provider(workspace, tenant, changes, name, separate)
        if policy:
            provider.install_policy()
        return provider

    return make


@pytest.fixture
def provider(make_provider):
    """A healthy provider on the shared OpenBao, with a tenant of its own."""
    return make_provider().start_healthy()


@pytest.fixture
def kms(provider):
    """A KMS v2 client of provider."""
    with provider.client() as client:
        yield client


@pytest.fixture
def https_proxy(workspace, openbao):
    """A proxy in front of the shared OpenBao that can give hostile answers."""
    return workspace.adopt(HttpsProxy(openbao))


@pytest.fixture
def tcp_proxy(workspace, openbao):
    """A proxy in front of the shared OpenBao that can break connections."""
    return workspace.adopt(TcpProxy(openbao.port))


@pytest.fixture
def proxied_provider(make_provider, https_proxy):
    """A healthy provider that reaches OpenBao through https_proxy."""
    return make_provider(changes={"openbao": {"address": https_proxy.address}}).start_healthy()
