"""What is measured: one OpenBao, one provider, pinned to cores, and the load tool."""

import base64
import contextlib
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

from rig import processes
from rig.openbao import OpenBao
from rig.provider import AGENT, WORKER, Provider
from rig.tenant import Tenant
from rig.tools import REPOSITORY, RigError, binary
from rig.waits import wait_for
from rig.workspace import Workspace

from . import attacks

CONCURRENCY = (1, 16, 64)
WARM_UP_MS = 300
FORGED_PER_SECOND = 1000
STATUS = {"operation": "status", "target": "provider", "concurrency": 1}
ROLES = {"supervisor", "spawner", "auth_agent", "worker_0", "worker_1"}
# The product's own intervals instead of the tests' short ones. The limits leave room for 64 calls.
CHANGES = {
    "bootstrap": None,
    "status": None,
    "server": {"maxConcurrentEncrypt": 128, "maxConcurrentDecrypt": 128},
}


class BenchWorkspace(Workspace):
    """A workspace below the build folder: the audit log takes gigabytes, and /tmp may be memory."""

    def __init__(self):
        build = REPOSITORY / "build"
        build.mkdir(exist_ok=True)
        self._use_root(Path(tempfile.mkdtemp(prefix="bench-", dir=build)))


@contextlib.contextmanager
def pinned(core: int):
    """Programs that are started meanwhile run on this core alone, and so do their children."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def bare_aad(config: dict) -> str:
    """Associated data with the size of the provider's own (its content is of no matter)."""
    digest = "A" * 43
    members = {
        "aad_version": "v1",
        "purpose": "kubernetes-etcd-kms-v2",
        "provider": "openbao-transit",
        "provider_name": config["transit"]["keyIdScope"]["providerName"],
        "cluster_id_hash": digest,
        "openbao_instance_hash": digest,
        "transit_mount_hash": digest,
        "transit_key_hash": digest,
        "key_id_hash": digest,
        "key_version": "1",
    }
    return base64.b64encode(json.dumps(members, separators=(",", ":")).encode()).decode()


class Stand:
    """OpenBao on the first core we may use, provider and load on the last one."""

    def __init__(self, workspace: Workspace):
        self._workspace = workspace
        cores = sorted(os.sched_getaffinity(0))
        self.openbao_core, self.provider_core = cores[0], cores[-1]
        self.load_average = os.getloadavg()[0]
        with pinned(self.openbao_core):
            self.openbao = OpenBao(workspace).start()
        self.tenant = Tenant(self.openbao)
        self.provider = Provider(workspace, self.tenant, CHANGES)
        self.provider.install_policy()
        with pinned(self.provider_core):
            self.provider.start_healthy()
        wait_for(self.processes, "all processes to run", ignoring=(OSError, RigError))
        self._tool = binary("baokms_bench")

    def processes(self) -> dict:
        """The provider's processes by their roles."""
        found = processes.tree(self.provider.daemon.pid)
        roles = {"supervisor": found[0]} if found else {}
        workers = 0
        for process in found[1:]:
            program = processes.program(process.pid)
            if program == WORKER:
                roles[f"worker_{workers}"] = process
                workers += 1
            else:
                roles["auth_agent" if program == AGENT else "spawner"] = process
        if set(roles) != ROLES:
            raise RigError(f"not the expected processes:\n{processes.table(found)}")
        return roles

    def memory_mb(self) -> dict:
        """PSS of each process and their sum, in units of 1024 x 1024 bytes."""
        memory = {role: process.pss_kib / 1024 for role, process in self.processes().items()}
        return {**memory, "total": sum(memory.values())}

    def _settings(self, steps, seconds: float, provider=None) -> dict:
        watched = {}
        if provider is None:
            provider = self.provider
            watched = {role: process.pid for role, process in self.processes().items()}
        return {
            "socket": str(provider.socket_path),
            "bare": {
                "address": self.openbao.address,
                "ca_file": str(self.openbao.ca_file),
                "token": self.tenant.login(),
                "mount": self.tenant.transit_mount,
                "key": self.tenant.key_name,
                "aad": bare_aad(self.provider.config),
                "key_version": 1,
            },
            "warm_up_ms": WARM_UP_MS,
            "measured_ms": int(seconds * 1000),
            "watched": {**watched, "openbao": self.openbao.daemon.pid},
            "steps": steps,
        }

    def _load(self, settings: dict) -> list:
        """One run of the load tool; what each step measured, in their order."""
        with pinned(self.provider_core):
            tool = subprocess.run(
                [self._tool, "load"],
                input=json.dumps(settings) + "\n",
                stdout=subprocess.PIPE,
                text=True,
            )
        if tool.returncode != 0:
            raise RigError("the load tool failed")
        return [json.loads(line) for line in tool.stdout.splitlines()]

    def round(self, number: int, seconds: float) -> list:
        """Every operation at every concurrency; who comes first changes from round to round."""
        targets = ("provider", "bare") if number % 2 == 0 else ("bare", "provider")
        steps = [STATUS]
        for concurrency in CONCURRENCY:
            for operation in ("decrypt", "encrypt"):
                steps += [
                    {"operation": operation, "target": target, "concurrency": concurrency}
                    for target in targets
                ]
        results = self._load(self._settings(steps, seconds))
        os.truncate(self.openbao.audit_log, 0)
        return results

    def openbao_calls_per_status(self, seconds: float) -> float:
        """Requests that OpenBao saw while Status was called, divided by the Status calls; the
        provider's own probes are among them.
        """
        settings = self._settings([STATUS], seconds)
        os.truncate(self.openbao.audit_log, 0)
        status = self._load(settings)[0]
        return len(self.openbao.audit_requests()) / status["calls"]

    def flooded(self, seconds: float) -> tuple:
        """One Decrypt at a time without, then with, a flood of forged key_ids: what the load tool
        measured each time, and how the forged ones were answered.
        """
        settings = self._settings(
            [{"operation": "decrypt", "target": "provider", "concurrency": 1}], seconds
        )
        quiet = self._load(settings)[0]
        duration = int(seconds * 1000) + 2 * WARM_UP_MS
        command = [self._tool, "flood", str(self.provider.socket_path)]
        with pinned(self.openbao_core):
            flood = subprocess.Popen(
                [*command, str(FORGED_PER_SECOND), str(duration)],
                stdout=subprocess.PIPE,
                text=True,
            )
        during = self._load(settings)[0]
        answers = json.loads(flood.communicate()[0])
        os.truncate(self.openbao.audit_log, 0)
        return quiet, during, answers

    def attacked(self, rounds: int, seconds: float) -> dict:
        """One Decrypt at a time before, then during each attack (attacks.py): by the attack's name,
        what the load tool measured in each round.
        """
        measured = {}
        for name in attacks.BY_CLIENTS:
            measured[name] = [
                self._before_and_during(
                    self.provider, lambda n=name: attacks.by_clients(self.provider, n), seconds
                )
                for _ in range(rounds)
            ]
        with pinned(self.provider_core):
            flooded = attacks.FloodedProvider(self._workspace, self.openbao, CHANGES)
        # A flood has no end, so that all other measurements come first.
        measured[attacks.FLOODING_WORKER] = [
            self._before_and_during(flooded.provider, flooded.flooded, seconds)
        ]
        flooded.provider.stop()
        return measured

    def _before_and_during(self, provider, attack, seconds: float) -> tuple:
        settings = self._settings(
            [{"operation": "decrypt", "target": "provider", "concurrency": 1}], seconds, provider
        )
        before = self._load(settings)[0]
        with pinned(self.openbao_core), attack():
            during = self._load(settings)[0]
        os.truncate(self.openbao.audit_log, 0)
        return before, during

    def first_encrypt_ms(self) -> float:
        """Starts the provider anew; milliseconds until it answered an Encrypt."""
        self.provider.stop()
        with pinned(self.provider_core):
            tool = subprocess.Popen(
                [self._tool, "first", str(self.provider.socket_path)],
                stdout=subprocess.PIPE,
                text=True,
            )
            tool.stdout.readline()  # it waits now
            began = time.monotonic_ns()
            self.provider.daemon.start()
            line = tool.communicate()[0]
        if tool.returncode != 0:
            raise RigError("the provider did not Encrypt after its start")
        return (int(line) - began) / 1e6
