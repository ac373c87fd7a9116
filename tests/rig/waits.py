"""Waiting for conditions with a bounded deadline, and free TCP ports."""

import random
import socket
import time

from .tools import RigError

DEADLINE_SECONDS = (
    60.0  # generous: shared machines stall; a test waits for the condition, never for this
)


def wait_for(condition, what: str, deadline: float = DEADLINE_SECONDS, ignoring=(OSError,)):
    """Calls condition until it returns something true, and returns that.

    Exceptions of the types in ignoring count as "not yet". Raises RigError when the deadline
    passes.
    """
    end = time.monotonic() + deadline
    last = None
    while True:
        try:
            value = condition()
            if value:
                return value
        except ignoring as error:
            last = error
        if time.monotonic() >= end:
            reason = f"; last error: {last}" if last else ""
            raise RigError(f"waited {deadline:.0f} s in vain for: {what}{reason}")
        time.sleep(0.05)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on, below the range of outgoing connections."""
    for _ in range(200):
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RigError("no free TCP port found")
