"""Hostile answers for HttpsProxy.inject(). Each function returns a fault: a callable that serves
one request.
"""

import dataclasses
import json
import os
import socket
import struct

from .https_proxy import ConnectionEnded, HttpAnswer

JSON = {"Content-Type": "application/json"}
DRIP_SECONDS = 0.2
WAIT_SECONDS = 120.0  # a fault that waits ends by itself after this, whatever a test forgets


def answer(status: int, errors=(), headers=None, body=None):
    """An error answer with OpenBao's errors list, or with body (bytes) as it is."""
    content = json.dumps({"errors": list(errors)}).encode() if body is None else body
    return lambda handler: handler.send(HttpAnswer(status, {**JSON, **(headers or {})}, content))


def redirect(location: str = "https://127.0.0.1:1/"):
    """307 to another place, as a standby sends it."""
    return answer(307, headers={"Location": location}, body=b"")


def rewritten(change):
    """OpenBao's real answer after change(HttpAnswer) -> HttpAnswer."""
    return lambda handler: handler.send(change(handler.forward()))


def rewritten_body(change):
    """OpenBao's real answer with its body after change(bytes) -> bytes."""
    return rewritten(lambda real: dataclasses.replace(real, body=change(real.body)))


def rewritten_json(change):
    """OpenBao's real answer with its decoded JSON after change(object) -> object."""
    return rewritten_body(lambda body: json.dumps(change(json.loads(body))).encode())


def truncated_json():
    """Half of the JSON text, with a Content-Length that fits."""
    return rewritten_body(lambda body: body[: len(body) // 2])


def duplicate_member(name: str):
    """The JSON text with the first member called name written twice, first with the value null."""
    member = f'"{name}":'.encode()

    def change(body: bytes) -> bytes:
        if member not in body:
            raise AssertionError(f"the answer has no member {name}")
        return body.replace(member, member + b"null," + member, 1)

    return rewritten_body(change)


def oversized(length: int, status: int = 200):
    """A valid JSON text of exactly length bytes."""
    frame = b'{"data":{"padding":"%s"}}'
    padding = b"x" * (length - len(frame) + 2)
    return answer(status, body=frame % padding)


def slow_headers():
    """No answer at all until heal()."""

    def fault(handler):
        handler.healed.wait(WAIT_SECONDS)
        handler.send(handler.forward())

    return fault


def stalled_body():
    """Headers and the first byte of the real answer, the rest after heal()."""

    def fault(handler):
        real = handler.forward()
        handler.send_head(real.status, real.headers, len(real.body))
        handler.wfile.write(real.body[:1])
        handler.healed.wait(WAIT_SECONDS)
        handler.wfile.write(real.body[1:])

    return fault


def dripping_body():
    """One byte of the real answer every 0.2 s until heal()."""

    def fault(handler):
        real = handler.forward()
        handler.send_head(real.status, real.headers, len(real.body))
        for position in range(len(real.body)):
            handler.wfile.write(real.body[position : position + 1])
            handler.healed.wait(DRIP_SECONDS)

    return fault


def cut_body():
    """The connection ends in the middle of the announced body."""

    def fault(handler):
        real = handler.forward()
        half = dataclasses.replace(real, body=real.body[: len(real.body) // 2])
        handler.send(half, length=len(real.body))
        raise ConnectionEnded

    return fault


def connection_reset():
    """RST instead of an answer."""

    def fault(handler):
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(handler.connection.detach())
        raise ConnectionEnded

    return fault
