"""A real OpenBao of three nodes with integrated (raft) storage. A Tenant and a Provider take it for
an OpenBao.
"""

import http.client

from .openbao import OpenBao
from .pki import Authority
from .tools import RigError
from .waits import wait_for

NODES = 3
ACTIVE, STANDBY = 200, (429, 473)


class RaftCluster:
    """start() leaves one active node and two standbys."""

    def __init__(self, workspace):
        folder = workspace.folder("cluster")
        authority = Authority(folder / "ca")
        audit_log = folder / "audit.log"  # every node must have the same one; the active one writes
        names = [f"openbao-{number}" for number in range(1, NODES + 1)]
        self.nodes = [OpenBao(workspace, name, authority, audit_log) for name in names]
        self.ca_file = authority.cert
        self.server_name = self.nodes[0].server_name
        self.address = self.nodes[0].address

    @property
    def additional_addresses(self) -> list:
        """For openbao.additionalAddresses."""
        return [node.address for node in self.nodes[1:]]

    def start(self) -> "RaftCluster":
        """Starts, joins and unseals all nodes."""
        first = self.nodes[0].start()
        first.request(
            "POST", "sys/storage/raft/autopilot/configuration", {"server_stabilization_time": "1s"}
        )
        for node in self.nodes[1:]:
            node.root_token, node.unseal_key = first.root_token, first.unseal_key
            node.start_sealed()
            node.request(
                "POST",
                "sys/storage/raft/join",
                {
                    "leader_api_addr": first.address,
                    "leader_ca_cert": self.ca_file.read_text(),
                },
                token="",
            )
            self._unseal(node)
        wait_for(self._all_vote, "every node to have a vote", ignoring=(OSError, RigError))
        return self

    def _all_vote(self) -> bool:
        answer = self.nodes[0].request("GET", "sys/storage/raft/configuration")
        return sum(server["voter"] for server in answer["data"]["config"]["servers"]) == NODES

    @staticmethod
    def _unseal(node: OpenBao) -> None:
        """The node may still be fetching the answer to "which key?" from the leader."""

        def done() -> bool:
            node.request("PUT", "sys/unseal", {"key": node.unseal_key}, token="")
            return node.health_status() in (ACTIVE, *STANDBY)

        wait_for(done, f"{node.name} to join", ignoring=(OSError, RigError))

    def leader(self) -> OpenBao:
        """The active node; waits for one."""
        return wait_for(
            lambda: next((node for node in self.nodes if node.health_status() == ACTIVE), None),
            "an active node",
        )

    def restart(self, node: OpenBao) -> None:
        """Brings a node back that was killed."""
        node.start_sealed()
        self._unseal(node)

    def request(self, method: str, path: str, body=None, token=None) -> dict:
        """One API call to the active node."""

        def call():
            return (self.leader().request(method, path, body, token),)

        return wait_for(call, f"{method} {path}", ignoring=(OSError, http.client.HTTPException))[0]
