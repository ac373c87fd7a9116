"""One cluster for the tests of a module: OpenBao, the provider, etcd and kube-apiserver, all real.
"""

from dataclasses import dataclass

import pytest

from rig.kubernetes import ApiServer, Etcd, encryption_config
from rig.openbao import OpenBao
from rig.provider import Provider
from rig.tenant import Tenant
from rig.workspace import Workspace


@dataclass(frozen=True)
class Cluster:
    """What runs, and the provider's name in EncryptionConfiguration."""

    openbao: OpenBao
    provider: Provider
    etcd: Etcd
    api: ApiServer
    provider_name: str


@pytest.fixture(scope="module")
def cluster_workspace():
    """The folder and the programs of one module."""
    workspace = Workspace("kubernetes")
    yield workspace
    workspace.close()


@pytest.fixture(scope="module")
def unstarted(cluster_workspace):
    """A cluster whose OpenBao and etcd run, but neither the provider nor the API server."""
    openbao = OpenBao(cluster_workspace).start()
    provider = Provider(cluster_workspace, Tenant(openbao))
    provider.install_policy()
    etcd = Etcd(cluster_workspace).start()
    name = provider.config["transit"]["keyIdScope"]["providerName"]
    api = ApiServer(cluster_workspace, etcd, encryption_config(name, provider.socket_path))
    return Cluster(openbao, provider, etcd, api, name)


@pytest.fixture(scope="module")
def cluster(unstarted):
    """A cluster that is ready."""
    unstarted.provider.start_healthy()
    unstarted.api.start()
    return unstarted
