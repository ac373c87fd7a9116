"""Well-formed key_ids that nobody has, by the thousand: OpenBao and valid requests must not notice,
and a key that is really new must still be found.
"""

import base64
import os
import threading
import time
from dataclasses import replace

import grpc
import pytest

from rig.kms import KmsError
from rig.tenant import Tenant
from rig.waits import wait_for

PLAINTEXT = b"kubernetes secret payload"
CLIENTS = 8
PER_SECOND = 1000
FLOOD_SECONDS = 12
BURST, READ_EVERY_SECONDS = 3, 5
# No scheduled probe runs in between, so that every metadata read is the flood's, and no answer is
# checked on a second worker, so that every Decrypt is a client's.
STILL = {
    "status": {"probeInterval": "1h", "statusMaxStaleness": "2h"},
    "isolation": {"verifyDecrypt": "off"},
}
QUICK = {
    "status": {"probeInterval": "500ms", "statusMaxStaleness": "60s"},
    "rotation": {"requireStableObservationCount": 2, "activationDelay": "6s"},
}


def forged_key_id() -> str:
    return "obk2." + base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")


class Flood:
    """Sends forged Decrypts and counts the answers by code."""

    def __init__(self, provider, encrypted):
        self.answers = {}
        self.seconds = 0.0
        self._provider, self._encrypted = provider, encrypted
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(CLIENTS)]

    def __enter__(self):
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self.seconds = time.monotonic() - self._began

    def _run(self) -> None:
        gap = CLIENTS / PER_SECOND
        with self._provider.client() as client:
            while not self._ended.is_set():
                began = time.monotonic()
                code = self._forge(client)
                with self._lock:
                    self.answers[code] = self.answers.get(code, 0) + 1
                self._ended.wait(max(0.0, gap - (time.monotonic() - began)))

    def _forge(self, client) -> grpc.StatusCode:
        try:
            client.decrypt(replace(self._encrypted, key_id=forged_key_id()))
        except KmsError as error:
            return error.code
        return grpc.StatusCode.OK


@pytest.fixture
def tenant(openbao):
    return Tenant(openbao)


def reads(tenant) -> int:
    return tenant.transit_requests(f"keys/{tenant.key_name}")


def test_a_flood_of_forged_key_ids_costs_openbao_one_read_in_five_seconds(make_provider, tenant):
    provider = make_provider(tenant, STILL).start_healthy()
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        before, decrypts = reads(tenant), tenant.transit_requests("decrypt")
        with Flood(provider, encrypted) as flood:
            valid = 0
            while time.monotonic() - flood._began < FLOOD_SECONDS:
                assert client.decrypt(encrypted) == PLAINTEXT
                valid += 1
        after = reads(tenant)
    print(f"{sum(flood.answers.values())} forged in {flood.seconds:.1f} s, {after - before} reads")
    assert set(flood.answers) <= {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE}
    assert flood.answers[grpc.StatusCode.NOT_FOUND] > 0
    assert sum(flood.answers.values()) > 10 * flood.seconds
    assert 1 <= after - before <= BURST + flood.seconds / READ_EVERY_SECONDS
    # A valid one that was late went to a second worker as well, which may not have sent it yet.
    hedged = provider.metrics().get('openbao_kms_requests_hedged_total{method="decrypt"}', 0)
    sent = tenant.transit_requests("decrypt") - decrypts
    assert valid <= sent <= valid + hedged, "no forged one reached Transit"


def test_a_fresh_key_of_a_peer_is_found_in_the_middle_of_a_flood(make_provider, tenant):
    peer = make_provider(tenant, QUICK, name="peer").start_healthy()
    provider = make_provider(tenant, STILL).start_healthy()
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        with Flood(provider, encrypted) as flood:
            tenant.rotate()
            wait_for(
                lambda: peer.ready()[1]["transit_key_version"] == 2, "the peer to use version 2"
            )
            with peer.client() as other:
                fresh = other.encrypt(PLAINTEXT)
            assert client.decrypt(fresh) == PLAINTEXT, "at the first attempt"
    assert set(flood.answers) <= {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.UNAVAILABLE}


def test_without_openbao_a_forged_key_id_is_never_called_unknown(own_openbao, make_provider):
    provider = make_provider(Tenant(own_openbao), STILL).start_healthy()
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        started = time.monotonic()
        own_openbao.kill()
        wait_for(lambda: time.monotonic() - started > READ_EVERY_SECONDS, "the last read to age")
        with Flood(provider, encrypted) as flood:
            wait_for(lambda: sum(flood.answers.values()) > 200, "200 answers")
        assert set(flood.answers) == {grpc.StatusCode.UNAVAILABLE}
        own_openbao.start()
        wait_for(
            lambda: client.decrypt(encrypted) == PLAINTEXT, "Decrypt", ignoring=(KmsError,)
        )
