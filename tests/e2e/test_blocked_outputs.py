"""Everything the provider writes for others to read may be left unread: the log on stderr, the journal, the
service manager's socket. KMS calls go on, /live stays true, what was lost is counted and told, and SIGTERM
ends the process.
"""

import json
import os
import socket
import subprocess
import threading

import pytest

from rig.tools import provider_binary
from rig.waits import wait_for

CALLS = 6_000  # more records than LogWriter::kMaxQueuedBytes holds
DROPPED = 'openbao_kms_log_records_dropped_total{process="supervisor"}'
DEBUG = {"logging": {"level": "debug"}}


def log_to_pipe(provider) -> int:
    """Has the provider log to a pipe, whose reading end is returned."""
    fifo = provider.folder / "stderr"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    provider.daemon.start_through(["/bin/sh", "-c", 'exec "$@" 2> "$0"', str(fifo)])
    return reader


class Records:
    """Reads the records of a pipe on a thread, from now until close()."""

    def __init__(self, descriptor: int):
        self._file = os.fdopen(descriptor, "rb", buffering=0)
        os.set_blocking(descriptor, True)
        self._text = b""
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while chunk := self._file.read(1 << 16):
            self._text += chunk

    def of(self, event: str) -> list:
        """The records of this event so far."""
        lines = self._text.decode().rpartition("\n")[0].splitlines()
        records = [json.loads(line) for line in lines if line.startswith("{")]
        return [record for record in records if record["message"] == event]

    def close(self) -> None:
        """Waits for the end of the pipe, which comes with the end of the provider."""
        self._thread.join()


def serve_many(provider, calls: int = CALLS) -> None:
    """Calls of all three kinds, each answered."""
    with provider.client() as client:
        sealed = client.encrypt(b"plaintext")
        for number in range(calls):
            assert client.status().ok
            if number % 500 == 0:
                assert client.decrypt(sealed) == b"plaintext"


def assert_serves_and_stops(provider) -> None:
    """What has to hold while nobody reads."""
    serve_many(provider)
    assert provider.get("/live")[0] == 200
    assert provider.ready()[0] == 200
    assert provider.metrics()[DROPPED] > 0


def test_calls_go_on_when_nobody_reads_the_log(make_provider):
    provider = make_provider(changes=DEBUG)
    pipe = log_to_pipe(provider)
    provider.start_healthy()
    assert_serves_and_stops(provider)
    records = Records(pipe)
    told = wait_for(lambda: records.of("log.dropped"), "a record of what was dropped")
    assert told[0]["process"] == "supervisor"
    assert told[0]["reason"] == "output_blocked"
    assert sum(record["count"] for record in told) <= provider.metrics()[DROPPED]
    assert provider.stop() == 0
    records.close()
    assert records.of("serve.shutdown")[0]["status"] == "ok"


def test_sigterm_ends_a_provider_whose_log_nobody_reads(make_provider):
    provider = make_provider(changes=DEBUG)
    pipe = log_to_pipe(provider)
    provider.start_healthy()
    serve_many(provider, 1_000)
    assert provider.stop() == 0
    os.close(pipe)


def test_a_start_with_an_invalid_file_ends_though_nobody_reads_why(make_provider):
    provider = make_provider()
    provider.write_config({"openbao": {"timeout": "0s"}})
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    command = [provider_binary(), "--config", str(provider.config_path), "serve"]
    assert subprocess.run(command, stderr=writer, env={}, timeout=10).returncode == 3
    os.close(reader)
    os.close(writer)


def test_a_closed_standard_error_never_becomes_a_file_of_the_state(make_provider):
    provider = make_provider()
    provider.daemon.start_through(["/bin/sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"])
    provider.start_healthy()
    serve_many(provider, 10)
    pid = provider.daemon.pid
    assert [os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)] == ["/dev/null"] * 3
    lock = provider.folder / "state" / "key-registry.json.lock"
    assert lock.read_text() == f"{pid}\n"
    assert provider.stop() == 0


def test_calls_go_on_when_journald_does_not_read(make_provider):
    provider = make_provider(changes=DEBUG)
    journal = provider.folder / "journal"
    journal.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unread:
        unread.bind(str(journal / "socket"))
        # In a mount namespace of its own, where journald's socket is the one above.
        script = (
            "mkdir -p /run/systemd/journal && mount -t tmpfs none /run/systemd/journal && "
            "touch /run/systemd/journal/socket && "
            'mount --bind "$0/socket" /run/systemd/journal/socket && exec "$@"'
        )
        provider.daemon.start_through(
            ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script, str(journal)]
        )
        pipe = log_to_pipe(provider)
        stream = os.fstat(pipe)
        provider.daemon.env = {"JOURNAL_STREAM": f"{stream.st_dev}:{stream.st_ino}"}
        provider.start_healthy()
        assert b"BAOKMS_EVENT=serve.start" in unread.recv(1 << 16)
        assert_serves_and_stops(provider)
        assert provider.stop() == 0
    os.close(pipe)


def fill(sender: socket.socket) -> int:
    """Fills the queue of the socket that this one is connected to; returns how much it took."""
    sender.setblocking(False)
    for sent in range(1 << 16):
        try:
            sender.send(b"filler")
        except BlockingIOError:
            return sent
    pytest.fail("the queue has no end")
    return 0


def test_calls_go_on_when_the_service_manager_does_not_read(make_provider):
    provider = make_provider()
    path = str(provider.folder / "notify")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
    ):
        manager.bind(path)
        manager.settimeout(30)
        sender.connect(path)
        fillers = fill(sender)
        provider.daemon.env = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1000000"}
        provider.start_healthy()
        serve_many(provider, 100)
        assert provider.get("/live")[0] == 200
        for _ in range(fillers):
            assert manager.recv(4096) == b"filler"
        received = []
        while not {"ready", "status"} <= set(received):
            line = manager.recv(4096)
            received += ["ready"] * line.startswith(b"READY=1")
            received += ["status"] * line.startswith(b"STATUS=healthy")
        fill(sender)
        assert provider.stop() == 0
