"""Clients that mean harm: python3 -m rig.hostile_client DEED ADDRESS SECONDS CLIENTS.

ADDRESS is the path of a unix socket or HOST:PORT. Each client repeats one deed for that long and
connects again when it is cut off. It prints a line of JSON: how often they connected, how many bytes
they sent, and how often they were cut off. HTTP/2 is written by hand (RFC 9113 and RFC 7541), because
no library would send any of this.
"""

import collections
import contextlib
import json
import os
import random
import resource
import selectors
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 8, 9
END_STREAM, ACK, END_HEADERS = 0x1, 0x1, 0x4
ATTEMPTS = 10_000  # to connect, at least, however long it takes
HALF_CALLS = 4096  # of one connection, which never heard of a limit
RECONNECT_SECONDS = 1.0  # a crowd comes back so often
FRAME = 16384
BATCH = 64 * 1024
TESTS = Path(__file__).resolve().parents[1]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame; stream 0 is the connection."""
    length = struct.pack(">I", len(payload))[1:]
    return length + struct.pack(">BBI", kind, flags, stream) + payload


def integer(value: int, bits: int, first: int) -> bytes:
    """A number as HPACK writes it, behind the bits of first."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([first | value])
    rest, out = value - limit, [first | limit]
    while rest >= 128:
        out.append(rest % 128 + 128)
        rest //= 128
    return bytes([*out, rest])


def literal(name: bytes, value: bytes, indexed: bool = False) -> bytes:
    """A header field, written out; indexed: to be kept in the peer's table."""
    start = b"\x40" if indexed else b"\x00"
    return start + integer(len(name), 7, 0) + name + integer(len(value), 7, 0) + value


def call_headers(method: str) -> bytes:
    """The header block of a call."""
    fields = {
        ":method": "POST",
        ":scheme": "http",
        ":path": f"/v2.KeyManagementService/{method}",
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
    }
    return b"".join(literal(name.encode(), value.encode()) for name, value in fields.items())


def message(body: bytes = b"") -> bytes:
    """A message of gRPC with its length in front."""
    return struct.pack(">BI", 0, len(body)) + body


def forged_decrypt() -> bytes:
    """A DecryptRequest (ciphertext, uid and key_id) that looks right and is nobody's."""
    fields = {1: b"vault:v1:" + b"A" * 80, 2: os.urandom(8).hex().encode(), 3: b"obk2." + b"A" * 43}
    return b"".join(bytes([n << 3 | 2, len(text)]) + text for n, text in fields.items())


def stream_ids():
    """The numbers of a client's streams, as many as there are."""
    return range(1, 2**31, 2)


# Deeds: each yields what one connection sends, piece by piece.


def rapid_reset():
    """Calls that are cancelled before anybody can answer them."""
    headers, reset = call_headers("Decrypt"), struct.pack(">I", 8)
    for stream in stream_ids():
        yield (
            frame(HEADERS, END_HEADERS, stream, headers)
            + frame(DATA, END_STREAM, stream, message(forged_decrypt()))
            + frame(RST_STREAM, 0, stream, reset)
        )


def half_calls():
    """Many calls, none of which is complete."""
    headers = call_headers("Encrypt")
    for stream in stream_ids()[:HALF_CALLS]:
        body = message(b"\x0a\xff\x07" + b"x" * 1023)[:600]
        yield frame(HEADERS, END_HEADERS, stream, headers) + frame(DATA, 0, stream, body)


def long_header():
    """One header field without an end."""
    begin = b"\x00" + integer(1, 7, 0) + b"x" + integer(2**31 - 1, 7, 0)
    yield frame(HEADERS, 0, 1, call_headers("Status") + begin)
    rest = frame(CONTINUATION, 0, 1, b"y" * FRAME)
    while True:
        yield rest


def many_headers():
    """A header block without an end, of small fields."""
    yield frame(HEADERS, 0, 1, call_headers("Status"))
    rest = frame(CONTINUATION, 0, 1, literal(b"x", b"y" * 59) * (FRAME // 64))
    while True:
        yield rest


def repeated_header():
    """A large field, which is kept once and then named by a byte, again and again."""
    yield frame(HEADERS, 0, 1, call_headers("Status") + literal(b"x", b"y" * 4000, True))
    rest = frame(CONTINUATION, 0, 1, b"\xbe" * FRAME)
    while True:
        yield rest


def large_headers():
    """Calls with as many headers as fit in a frame."""
    headers = call_headers("Status") + literal(b"x", b"y" * 59) * (FRAME // 64 - 4)
    for stream in stream_ids():
        yield frame(HEADERS, END_HEADERS, stream, headers) + frame(
            DATA, END_STREAM, stream, message()
        )


def unread_answers():
    """Calls whose answers are never read."""
    headers = call_headers("Status")
    for stream in stream_ids():
        yield frame(HEADERS, END_HEADERS, stream, headers) + frame(
            DATA, END_STREAM, stream, message()
        )


def unread_acks():
    """Pings and settings whose acknowledgements are never read."""
    while True:
        yield frame(PING, 0, 0, b"12345678") + frame(SETTINGS, 0, 0)


def garbage():
    """Anything: broken frames, calls of nothing, messages that are none."""
    dice = random.Random(os.urandom(8))
    headers = [call_headers(name) for name in ("Decrypt", "Encrypt", "Status", "Nothing")]
    for stream in stream_ids():
        body = dice.randbytes(dice.randrange(200))
        yield frame(HEADERS, END_HEADERS, stream, dice.choice(headers)) + frame(
            DATA, END_STREAM, stream, dice.choice((body, message(body), message(body)[:-1]))
        )
        if stream > 100:
            yield frame(dice.randrange(16), dice.randrange(256), stream, body)
            yield body


def connections():
    """Nothing: the connection is closed at once, and another one opened."""
    yield b""


def hit_and_run():
    """A few hundred calls that are cancelled, and the connection is closed at once."""
    calls = rapid_reset()
    yield PREFACE + frame(SETTINGS, 0, 0) + b"".join(next(calls) for _ in range(300))


def crowding():
    """Nothing, on more and more connections: as many as asked for are open at a time."""
    yield b""


def silent():
    """Nothing at all, not even a greeting."""
    yield b""


DEEDS = {
    deed.__name__: deed
    for deed in (
        rapid_reset,
        half_calls,
        long_header,
        many_headers,
        repeated_header,
        large_headers,
        unread_answers,
        unread_acks,
        garbage,
        connections,
        hit_and_run,
        crowding,
        silent,
    )
}
HASTY = {connections, crowding, hit_and_run}  # those that never wait for anything
READS = {rapid_reset, large_headers, garbage}  # the others never read


def connect(address: str) -> socket.socket:
    """A new connection, which will not block."""
    host, _, port = address.rpartition(":")
    if host:
        connection = socket.create_connection((host, int(port)))
    else:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(address)
    connection.setblocking(False)
    return connection


class Attacker:
    """One connection after the other that commits a deed."""

    def __init__(self, deed, address: str, counts: dict):
        self.deed, self.address, self.counts = deed, address, counts
        self.connect()

    def connect(self) -> None:
        """Begins anew."""
        self.socket = connect(self.address)
        self.counts["connections"] += 1
        self.pieces = self.deed()
        self.pending = b"" if self.deed is silent else PREFACE + frame(SETTINGS, 0, 0)

    def fill(self) -> None:
        """Has something to send, as long as the deed is not complete."""
        pieces = [self.pending]
        size = len(self.pending)
        while size < BATCH:
            piece = next(self.pieces, None)
            if piece is None:
                break
            pieces.append(piece)
            size += len(piece)
        self.pending = b"".join(pieces)

    def read(self) -> None:
        """Raises ConnectionError when it was cut off."""
        try:
            if not self.socket.recv(1 << 20):
                raise ConnectionError
        except BlockingIOError:
            pass

    def send(self) -> bool:
        """Sends what it can; returns whether there is more."""
        if self.deed in READS:
            self.read()
        self.fill()
        if not self.pending:
            return False
        sent = self.socket.send(self.pending)
        self.counts["bytes"] += sent
        self.pending = self.pending[sent:]
        return True


class Crowd:
    """Attackers with the same deed. One that has done it waits to be cut off."""

    def __init__(self, deed, address: str, clients: int):
        self.counts = {"connections": 0, "bytes": 0, "cut_off": 0}
        self.selector = selectors.DefaultSelector()
        self.gone = []
        for _ in range(clients):
            self._watch(Attacker(deed, address, self.counts))

    def _watch(self, attacker: Attacker) -> None:
        self.selector.register(attacker.socket, selectors.EVENT_WRITE, attacker)

    def act(self, seconds: float) -> None:
        """Waits that long at most for something to do, and does it."""
        for key, events in self.selector.select(seconds):
            attacker = key.data
            try:
                if events & selectors.EVENT_READ:
                    attacker.read()
                elif not attacker.send():
                    self.selector.modify(attacker.socket, selectors.EVENT_READ, attacker)
            except BlockingIOError:
                pass
            except OSError:
                self.counts["cut_off"] += 1
                self.selector.unregister(attacker.socket)
                attacker.socket.close()
                self.gone.append(attacker)

    def come_back(self) -> None:
        """Those that were cut off connect again."""
        for attacker in self.gone:
            attacker.connect()
            self._watch(attacker)
        self.gone.clear()


def attack(deed, address: str, seconds: float, clients: int) -> dict:
    """Repeats the deed; returns what was done."""
    end = time.monotonic() + seconds
    if deed in HASTY:
        attempts = 0
        text = next(deed())
        kept = collections.deque(maxlen=clients if deed is crowding else 1)
        while time.monotonic() < end or attempts < ATTEMPTS:
            kept.append(connect(address))
            with contextlib.suppress(OSError):
                kept[-1].send(text)
            attempts += 1
        return {"connections": attempts}
    crowd = Crowd(deed, address, clients)
    back = 0.0
    while (now := time.monotonic()) < end:
        crowd.act(min(end - now, 0.1))
        if deed is not silent or now >= back:
            crowd.come_back()
            back = now + RECONNECT_SECONDS
    return crowd.counts


@contextlib.contextmanager
def running(deed: str, address, seconds: float, clients: int):
    """The deed in a process of its own, which is ended if it has not ended by itself."""
    command = [sys.executable, "-m", "rig.hostile_client", deed, address, seconds, clients]
    process = subprocess.Popen(
        [str(part) for part in command],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    done = attack(DEEDS[sys.argv[1]], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]))
    print(json.dumps(done))
