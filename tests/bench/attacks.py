"""What a Decrypt takes while a worker or clients attack the provider."""

import contextlib
import os

from rig import hostile_client
from rig.flooding_worker import FloodingWorker, types_of_a_worker
from rig.provider import Provider
from rig.tenant import Tenant
from rig.waits import wait_for

FLOODED_WITH = "TokenStatus"  # costs the most: it leads to log lines and a change of the state
FLOODING_WORKER = "flooding worker"
# What rig/hostile_client.py does: its deed, which of the provider's addresses, how many clients.
BY_CLIENTS = {
    "silent, KMS socket": ("silent", "kms", 200),
    "silent, health": ("silent", "health", 1000),
    "silent, metrics": ("silent", "metrics", 1000),
    "rapid reset": ("rapid_reset", "kms", 1),
}
NAMES = (FLOODING_WORKER, *BY_CLIENTS)
LONGEST = 600  # seconds; an attack is ended when it was measured


def addresses(provider) -> dict:
    """Where a provider can be attacked."""
    return {
        "kms": str(provider.socket_path),
        "health": f"127.0.0.1:{provider.health_port}",
        "metrics": f"127.0.0.1:{provider.metrics_port}",
    }


@contextlib.contextmanager
def by_clients(provider, name: str):
    """Clients attack provider meanwhile."""
    deed, target, count = BY_CLIENTS[name]
    with hostile_client.running(deed, addresses(provider)[target], LONGEST, count):
        yield


class FloodedProvider:
    """A provider with three workers, of which one can be made to flood."""

    def __init__(self, workspace, openbao, changes):
        self._worker = FloodingWorker(workspace.folder("flooding-worker"))
        with self._worker.used():
            self.provider = Provider(
                workspace,
                Tenant(openbao),
                {**changes, "isolation": {"workers": 3}},
                "flooded-provider",
            )
        self.provider.install_policy()
        self.provider.start_healthy()

    def _floods(self) -> int:
        return sum(record["message"] == "process.breach" for record in self.provider.log_events())

    @contextlib.contextmanager
    def flooded(self):
        """One of the workers floods meanwhile, and is replaced again and again."""
        self._worker.choose(types_of_a_worker()[FLOODED_WITH])
        self._end_worker()
        wait_for(lambda: self._floods() > 0, "a flood")
        yield

    def _end_worker(self) -> None:
        """Ends the worker of slot 0, which becomes the hostile one."""
        for record in reversed(self.provider.log_events()):
            if record["message"] == "process.started" and record["child"] == "worker_0":
                os.kill(record["child_pid"], 9)
                return
