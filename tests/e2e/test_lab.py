"""tests/lab/up and tests/lab/down of two clones on one machine."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from rig import processes
from rig.kms import KmsClient
from rig.tools import REPOSITORY, fetched, provider_binary

LAB_SECONDS = 120


class Clone:
    """As much of a clone as the lab needs."""

    def __init__(self, root: Path):
        self.root = root
        shutil.copytree(REPOSITORY / "tests" / "rig", root / "tests" / "rig")
        (root / "tests" / "lab").symlink_to(REPOSITORY / "tests" / "lab")

    def _run(self, action: str):
        environment = {
            **os.environ,
            "BAOKMS_BIN": str(Path(provider_binary()).parent),
            "BAO": fetched("openbao"),
        }
        command = [sys.executable, "-B", "-m", "rig.lab", action]
        return subprocess.run(
            command,
            cwd=self.root / "tests",  # where Python finds the rig first
            env=environment,
            capture_output=True,
            text=True,
            timeout=LAB_SECONDS,
            check=False,
        )

    def lab(self, action: str) -> str:
        """Runs tests/lab/up or down there, with the programs that are under test here."""
        done = self._run(action)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, action: str) -> str:
        """As lab(), but the action must fail. Returns what it says."""
        done = self._run(action)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def pids(self) -> list:
        """The programs of its lab, from what `down` will read."""
        return [e["pid"] for e in json.loads((self.root / "build/lab/state.json").read_text())]


def socket_of(output: str) -> Path:
    line = next(line for line in output.splitlines() if line.startswith("socket "))
    return Path(line.split()[1].removeprefix("unix://"))


def is_healthy(socket: Path) -> bool:
    with KmsClient(socket) as client:
        return client.status().ok


def test_an_operator_can_rotate_the_key_of_a_lab_and_up_never_replaces_one_that_runs(workspace):
    one = Clone(workspace.root / "one")
    try:
        one.lab("up")
        rotate = "bao write -f transit-lab/keys/k8s-lab-etcd/rotate"
        shell = f". {one.root}/build/lab/environment && {rotate} && bao-kms-provider rotation-plan"
        done = subprocess.run(
            ["sh", "-c", shell], capture_output=True, text=True, timeout=LAB_SECONDS, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "latestTransitVersion: 2" in done.stdout
        pids = one.pids()
        assert "the lab of this clone runs already" in one.refused("up")
        assert all(processes.is_running(pid) for pid in pids)
    finally:
        one.lab("down")


def test_the_labs_of_two_clones_run_side_by_side(workspace):
    one, other = Clone(workspace.root / "one"), Clone(workspace.root / "other")
    try:
        one_socket = socket_of(one.lab("up"))
        other_socket = socket_of(other.lab("up"))
        assert one_socket != other_socket
        assert is_healthy(one_socket) and is_healthy(other_socket)
        pids = one.pids()
        one.lab("down")
        assert not any(processes.is_running(pid) for pid in pids)
        assert not one_socket.parent.exists() and not (one.root / "build/lab").exists()
        assert is_healthy(other_socket)
        assert all(processes.is_running(pid) for pid in other.pids())
    finally:
        one.lab("down")
        other.lab("down")
    assert not other_socket.parent.exists()
