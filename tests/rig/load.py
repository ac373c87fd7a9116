"""Clients that never stop asking, as API servers do, and remember what they were told."""

import collections
import random
import threading
import time

from .kms import KmsError

Failure = collections.namedtuple("Failure", "operation code text")


class SteadyLoad:
    """count clients, spread over the providers, each with a connection of its own.

    Each sends a request every pace seconds: Encrypt, Decrypt of anything that any client was given
    (so nodes read each other's data), or Status. Use it in a with statement; afterwards:

    encrypted   every (plaintext, Encrypted) that was returned
    failures    every error, as Failure
    unhealthy   how many Status answers were not ok
    requests    how many requests were answered
    """

    def __init__(self, providers, count: int = 32, pace: float = 0.1):
        self.encrypted, self.failures = [], []
        self.unhealthy = self.requests = 0
        self._pace = pace
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(providers[i % len(providers)], i))
            for i in range(count)
        ]

    def __enter__(self) -> "SteadyLoad":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def versions(self, since: int = 0) -> set:
        """The Transit key versions ("v1") in what was encrypted, without the first `since`."""
        return {e.ciphertext.decode().split(":")[1] for _, e in self.encrypted[since:]}

    def _run(self, provider, number: int) -> None:
        dice = random.Random(number)
        with provider.client() as client:
            self._ended.wait(dice.random() * self._pace)
            while not self._ended.is_set():
                began = time.monotonic()
                self._ask(client, dice)
                self._ended.wait(max(0.0, self._pace - (time.monotonic() - began)))

    def _ask(self, client, dice: random.Random) -> None:
        operation = dice.choice(("encrypt", "decrypt", "decrypt", "decrypt", "status"))
        try:
            getattr(self, f"_{operation}")(client, dice)
        except KmsError as error:
            with self._lock:
                self.failures.append(Failure(operation, error.code, error.text))
        with self._lock:
            self.requests += 1

    def _encrypt(self, client, dice: random.Random) -> None:
        plaintext = dice.randbytes(32)
        encrypted = client.encrypt(plaintext)
        with self._lock:
            self.encrypted.append((plaintext, encrypted))

    def _decrypt(self, client, dice: random.Random) -> None:
        with self._lock:
            known = dice.choice(self.encrypted) if self.encrypted else None
        if known and client.decrypt(known[1]) != known[0]:
            raise AssertionError("a ciphertext decrypted to something else")

    def _status(self, client, _) -> None:
        if not client.status().ok:
            with self._lock:
                self.unhealthy += 1


def decrypt_all(provider, encrypted, clients: int = 8) -> int:
    """Decrypts every (plaintext, Encrypted) on provider; returns how many came out right."""
    right = []

    def run(part) -> None:
        with provider.client() as client:
            right.append(sum(client.decrypt(entry) == plaintext for plaintext, entry in part))

    threads = [
        threading.Thread(target=run, args=(encrypted[i::clients],)) for i in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(right)
