"""The temporary root of one test: its files, its sockets, what runs in it."""

import os
import shutil
import tempfile
from pathlib import Path

from . import sanitizers
from .daemon import Daemon
from .tools import RigError

SOCKET_ROOT = Path("/run/openbao-kms")  # the only place the provider accepts for its socket


class Workspace:
    """Makes a folder of its own under /tmp, remembers what to close, and shows the logs after a
    failure.

    BAOKMS_KEEP=1 keeps the folder.
    """

    def __init__(self, label: str):
        self._use_root(Path(tempfile.mkdtemp(prefix=f"bao-kms-{label}-")))

    def _use_root(self, root: Path) -> None:
        self.root = root
        self._closers = []
        self._daemons = []
        self._socket_folders = []

    def folder(self, name: str, mode: int = 0o700) -> Path:
        """A new folder below the root."""
        path = self.root / name
        path.mkdir(mode=mode, parents=True)
        return path

    def socket_folder(self) -> Path:
        """A new folder below /run/openbao-kms, owned by us and writable by nobody else."""
        if os.geteuid() != 0 and not os.access(SOCKET_ROOT, os.W_OK):
            raise RigError(f"{SOCKET_ROOT} must be writable: run as root")
        SOCKET_ROOT.mkdir(mode=0o755, exist_ok=True)
        path = Path(tempfile.mkdtemp(prefix="test-", dir=SOCKET_ROOT))
        path.chmod(0o750)
        self._socket_folders.append(path)
        return path

    def daemon(self, name: str, argv, env=None, fatal=None) -> Daemon:
        """A program, not yet started, that is stopped with this workspace."""
        process = Daemon(name, argv, self.root / f"{name}.log", env, fatal=fatal)
        self._daemons.append(process)
        return process

    def adopt(self, closable):
        """Calls closable.close() when the workspace is closed. Returns closable."""
        self._closers.append(closable)
        return closable

    def log_tails(self, lines: int = 60) -> str:
        """The last lines of each program's log."""
        parts = []
        for process in self._daemons:
            state = "running" if process.alive else "not running"
            parts.append(f"--- {process.name} ({state}), {process.log_path}\n{process.tail(lines)}")
        return "\n".join(parts)

    def close(self) -> None:
        """Stops everything, newest first, and removes the files. SanitizerError if a program had a
        fault, which it may have reported at its end.
        """
        for process in reversed(self._daemons):
            process.stop()
        for closable in reversed(self._closers):
            closable.close()
        output = "\n".join(process.log_text() for process in self._daemons)
        self._remove()
        sanitizers.require_none(output)

    def _remove(self) -> None:
        if os.environ.get("BAOKMS_KEEP") == "1":
            print(f"kept {self.root}")
            return
        for path in [self.root, *self._socket_folders]:
            shutil.rmtree(path, ignore_errors=True)
