"""Programs in which the worker of slot 0 can be made to flood the supervisor with one message, again
and again (tests/supervisor/serve/flooding_worker.cc).
"""

import contextlib
import os
import re
import shutil
from pathlib import Path

from .provider import AGENT, SPAWNER, WORKER
from .tools import REPOSITORY, provider_binary


def types_of_a_worker() -> dict:
    """Every message that a worker may send, from the table of ipc/limits.h: its name and number."""
    header = (REPOSITORY / "ipc" / "message_type.h").read_text()
    numbers = dict(re.findall(r"^  k(\w+) = (\d+),", header, re.MULTILINE))
    limits = (REPOSITORY / "ipc" / "limits.h").read_text()
    rows = re.findall(r"MessageLimits\{MessageType::k(\w+), ([^,]+),", limits)
    return {name: numbers[name] for name, who in rows if re.search("kFromWorker|AnyChild", who)}


class FloodingWorker:
    """A folder with the programs. Its worker of slot 0 is the real one until choose()."""

    def __init__(self, folder: Path):
        own = Path(provider_binary())
        for name in (own.name, SPAWNER, AGENT):
            shutil.copy(own.with_name(name), folder)
        shutil.copy(own.with_name(WORKER), folder / f"{WORKER}.real")
        shutil.copy(own.parents[1] / "tests" / "flooding_worker", folder / WORKER)
        (folder / WORKER).chmod(0o111)
        self._folder = folder

    def choose(self, number: str) -> None:
        """Workers of slot 0 that start from now on send messages of this type without end."""
        new = self._folder / "flood.new"
        new.write_text(number)
        new.rename(self._folder / "flood")

    @contextlib.contextmanager
    def used(self):
        """Providers that are made meanwhile run these programs."""
        before = os.environ.get("BAOKMS_BIN")
        os.environ["BAOKMS_BIN"] = str(self._folder)
        try:
            yield
        finally:
            if before is None:
                del os.environ["BAOKMS_BIN"]
            else:
                os.environ["BAOKMS_BIN"] = before
