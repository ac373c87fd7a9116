"""One background process with a log file."""

import os
import re
import signal
import subprocess
from pathlib import Path

from .tools import RigError
from .waits import ConditionImpossible, wait_for, watch

STOP_SECONDS = 25.0  # the provider allows itself 15 s for a graceful stop
DIE_WITH_PARENT = ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"]  # keeps the process id


class Daemon:
    """Starts, stops and kills one program; its standard output and error go to log_path (appended).

    env: its whole environment; None = ours.

    fatal: a regular expression for a line of the log after which nothing can come of the program
    any more, although it runs; None = there is no such line.

    Between start() and the call that ends it or waits for its end, the program has to run: every
    wait_for() gives up when it has ended by itself or logged a fatal line.

    Start it from the main thread: the kernel ends it with the thread that started it, unless
    outlive is set.
    """

    def __init__(self, name: str, argv, log_path: Path, env=None, outlive=False, fatal=None):
        self.name = name
        self.argv = [str(part) for part in argv]
        self.log_path = Path(log_path)
        self.env = env
        self.command = self.argv if outlive else DIE_WITH_PARENT + self.argv
        self.fatal = fatal
        self._process = None
        self._has_to_run = False
        self._log_start = 0

    def start_through(self, prefix) -> None:
        """Has the program started by another one, which must execute it in its own place (exec)."""
        before = self.command[: len(self.command) - len(self.argv)]
        self.command = [*before, *prefix, *self.argv]

    @property
    def pid(self) -> int:
        """The process id; RigError when it was never started."""
        if self._process is None:
            raise RigError(f"{self.name} was not started")
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs now."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> "Daemon":
        """Starts the program; it must not be running."""
        if self.alive:
            raise RigError(f"{self.name} runs already")
        with open(self.log_path, "ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.env,
                cwd="/",
                start_new_session=True,
            )
        self._has_to_run = True
        watch(self)
        return self

    def failure(self):
        """Why nothing can come of the program any more, with the end of its log; None while there
        is hope, or when its end is no surprise.
        """
        if not self._has_to_run:
            return None
        if not self.alive:
            return f"{self.name} ended (status {self._process.returncode}):\n{self.tail()}"
        line = self.fatal and re.search(self.fatal, self._log_since_start())
        return f"{self.name} logged {line[0]}\n{self.tail()}" if line else None

    def _log_since_start(self) -> str:
        with open(self.log_path, "rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def stop(self) -> int:
        """SIGTERM, and SIGKILL for the whole group when that is not obeyed. Returns the exit
        status.
        """
        self._has_to_run = False
        if self.alive:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait() if self._process else 0

    def kill(self) -> None:
        """kill -9 of the one process, and waits for its end."""
        self._has_to_run = False
        if self.alive:
            self._process.kill()
        if self._process:
            self._process.wait()

    def wait_exit(self, deadline: float = 60.0) -> int:
        """Waits until the program ends by itself; returns the exit status (negative: a signal)."""
        self._has_to_run = False
        wait_for(lambda: not self.alive, f"the end of {self.name}", deadline)
        return self._process.returncode

    def require_alive(self) -> None:
        """ConditionImpossible, with the end of the log, when the program is gone."""
        if not self.alive:
            status = self._process.returncode if self._process else "never started"
            raise ConditionImpossible(
                f"{self.name} is not running (status {status}):\n{self.tail()}"
            )

    def log_text(self) -> str:
        """Everything it wrote so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def tail(self, lines: int = 40) -> str:
        """The last lines of the log."""
        return "\n".join(self.log_text().splitlines()[-lines:])
