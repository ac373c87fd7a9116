"""Waiting for conditions with a bounded deadline, and free TCP ports."""

import fcntl
import functools
import random
import socket
import tempfile
import time
import weakref
from pathlib import Path

from .tools import RigError

DEADLINE_SECONDS = (
    60.0  # generous: shared machines stall; a test waits for the condition, never for this
)


class ConditionImpossible(RigError):
    """What somebody waits for cannot come any more."""


_watched = weakref.WeakSet()


def watch(thing) -> None:
    """From now on every wait gives up when thing.failure() says why nothing can come of it."""
    _watched.add(thing)


def wait_for(condition, what: str, deadline: float = DEADLINE_SECONDS, ignoring=(OSError,)):
    """Calls condition until it returns something true, and returns that.

    Exceptions of the types in ignoring count as "not yet", except ConditionImpossible. Raises
    ConditionImpossible as soon as a program that a test needs has failed (see Daemon), and RigError
    when the deadline passes.
    """
    end = time.monotonic() + deadline
    last = None
    while True:
        # Before the condition, which gets one more chance: what a program did last may fulfill it.
        failures = [failure for failure in (thing.failure() for thing in list(_watched)) if failure]
        try:
            value = condition()
            if value:
                return value
        except ConditionImpossible:
            raise
        except ignoring as error:
            last = error
        reason = f"; last error: {last}" if last else ""
        if failures:
            raise ConditionImpossible(
                f"cannot come any more: {what}{reason}\n" + "\n".join(failures)
            )
        if time.monotonic() >= end:
            raise RigError(f"waited {deadline:.0f} s in vain for: {what}{reason}")
        time.sleep(0.05)


@functools.cache
def _port_locks():
    """One file for all of the machine, in which byte N is locked by whoever may use port N."""
    return open(Path(tempfile.gettempdir()) / "bao-kms-ports.lock", "a+b", buffering=0)


_own_ports = set()


def free_port() -> int:
    """A TCP port of 127.0.0.1 below the range of outgoing connections, on which nobody listens and
    which no other test process gets before this one ends: a port is often chosen long before its
    program binds it, and again free while the program restarts.
    """
    for _ in range(200):
        port = random.randrange(20000, 32000)
        if port in _own_ports:
            continue
        with socket.socket() as probe:
            try:
                fcntl.lockf(_port_locks(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _own_ports.add(port)
        return port
    raise RigError("no free TCP port found")
