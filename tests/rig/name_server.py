"""A small DNS server over UDP for names that a test makes up."""

import os
import socket
import struct
import threading


def _records(name: bytes, kind: int, addresses) -> list:
    family = {1: socket.AF_INET, 28: socket.AF_INET6}.get(kind)
    texts = [a for a in addresses if family == (socket.AF_INET6 if ":" in a else socket.AF_INET)]
    packed = [socket.inet_pton(family, text) for text in texts]
    return [name + struct.pack(">HHIH", kind, 1, 1, len(p)) + p for p in packed]


class NameServer:
    """Answers on port 53 of an address of the loopback network that is this process's own. zone:
    names with their final dot and the addresses of each; any other name does not exist.
    """

    def __init__(self, zone: dict):
        self.zone = zone
        number = os.getpid() & 0xFFFF
        self.address = f"127.77.{number >> 8}.{number & 0xFF}"
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self.address, 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        query, client = self._socket.recvfrom(512)
        while query:
            self._socket.sendto(self._answer(query), client)
            query, client = self._socket.recvfrom(512)

    def _answer(self, query: bytes) -> bytes:
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode().lower())
            at += query[at] + 1
        question = query[12 : at + 5]
        name = ".".join(labels) + "."
        kind = struct.unpack(">H", question[-4:-2])[0]
        records = _records(question[:-4], kind, self.zone.get(name, []))
        status = 0x8580 if name in self.zone else 0x8583
        header = query[:2] + struct.pack(">HHHHH", status, 1, len(records), 0, 0)
        return header + question + b"".join(records)

    def close(self) -> None:
        """Stops answering."""
        self._socket.sendto(b"", (self.address, 53))
        self._thread.join()
        self._socket.close()
