"""Each limit and time of the configuration has its effect: a low value is felt soon, a high one not.

Where each key arrives is in tests/supervisor/serve/configuration_test.cc, which also names the tests
of keys that are no such value; what the limits of concurrent calls do is in test_processes.py.
"""

import os
import signal
import stat
import time
from dataclasses import dataclass, field

import pytest

from rig import faults
from rig.config import merged
from rig.kms import KmsError
from rig.provider import WORKER
from rig.tenant import Tenant
from rig.waits import wait_for

PLAINTEXT = b"kubernetes secret payload"
WORKERS = 2
UNAVAILABLE = faults.answer(503, ["down"])


@dataclass
class Scene:
    """One provider that reaches OpenBao through a proxy."""

    provider: object
    proxy: object

    def seen(self, path: str, more: int) -> None:
        """Waits until OpenBao got so many more requests for the path."""
        before = len(self.proxy.seen(path))
        wait_for(lambda: len(self.proxy.seen(path)) >= before + more, f"{more} requests for {path}")

    def logged(self, message: str, **members) -> None:
        """Waits for a record with these members."""

        def found():
            return any(
                record["message"] == message and members.items() <= record.items()
                for record in self.provider.log_events()
            )

        wait_for(found, f"the record {message}")


# What a row measures: each of these ends when the key has had its effect.


def encrypt_without_an_answer(scene: Scene) -> None:
    scene.proxy.inject(faults.slow_headers(), path="/encrypt/")
    with scene.provider.client() as client, pytest.raises(KmsError):
        client.encrypt(PLAINTEXT, timeout=30)


def probe(scene: Scene) -> None:
    scene.seen("/keys/", 2)


def deep_probe(scene: Scene) -> None:
    scene.seen("/encrypt/", 2)


def staleness(scene: Scene) -> None:
    scene.proxy.inject(UNAVAILABLE, path="/keys/")
    scene.provider.wait_unhealthy()


def rotation(scene: Scene) -> None:
    scene.provider.tenant.rotate()
    wait_for(
        lambda: scene.provider.ready()[1].get("transit_key_version") == 2, "the use of version 2"
    )


def login_without_an_answer(scene: Scene) -> None:
    scene.proxy.inject(faults.slow_headers(), path="/login")
    scene.provider.start()
    scene.logged("auth.login", reason="timeout")


def first_probe(scene: Scene) -> None:
    scene.proxy.inject(UNAVAILABLE, path="/keys/")
    scene.provider.start()
    # The first ones come quickly, whatever the interval is, and each may be tried on two workers.
    scene.seen("/keys/", 20)


def grace(scene: Scene) -> None:
    scene.proxy.inject(UNAVAILABLE, path="/keys/")
    scene.provider.start()
    scene.logged("status.bootstrap_overdue")


def end_of_incident_mode(scene: Scene) -> None:
    scene.provider.start()

    def ended():
        calls = [r for r in scene.provider.log_events() if r["message"] == "openbao.request"]
        return calls and "openbao_request_id" not in calls[-1]

    wait_for(ended, "a request whose id is not logged")


@dataclass
class Row:
    """limit_seconds is between what the effect takes with the low and with the high value."""

    key: str
    low: str
    high: object
    effect: object
    limit_seconds: float = 7
    starts: bool = False  # whether effect starts the provider
    others: dict = field(default_factory=dict)


OFTEN = {"status": {"probeInterval": "200ms", "statusMaxStaleness": "60s"}}

INCIDENT = {"enabled": True, "incidentId": "INC-7"}

ROWS = [
    Row("openbao.timeout", "500ms", "9s", encrypt_without_an_answer),
    Row("auth.loginTimeout", "500ms", "9s", login_without_an_answer, starts=True),
    Row(
        "bootstrap.retryInterval",
        "200ms",
        "10s",
        first_probe,
        limit_seconds=18,
        starts=True,
        others={"status": {"statusMaxStaleness": "60s"}},
    ),
    Row("bootstrap.graceTimeout", "500ms", "9s", grace, starts=True),
    Row(
        "status.probeInterval",
        "200ms",
        "9s",
        probe,
        others={"status": {"statusMaxStaleness": "60s"}},
    ),
    Row("status.deepProbeInterval", "500ms", "9s", deep_probe),
    Row(
        "status.statusMaxStaleness",
        "1s",
        "9s",
        staleness,
        others={"status": {"probeInterval": "500ms"}},
    ),
    Row(
        "rotation.activationDelay",
        "10ms",
        "9s",
        rotation,
        others=merged(OFTEN, {"rotation": {"requireStableObservationCount": 1}}),
    ),
    Row(
        "rotation.requireStableObservationCount",
        1,
        40,
        rotation,
        others=merged(OFTEN, {"rotation": {"activationDelay": "10ms"}}),
    ),
    Row(
        "logging.debugCorrelation.ttl",
        "500ms",
        "15s",
        end_of_incident_mode,
        starts=True,
        others=merged(OFTEN, {"logging": {"level": "debug", "debugCorrelation": INCIDENT}}),
    ),
]


def setting(key: str, value) -> dict:
    for name in reversed(key.split(".")):
        value = {name: value}
    return value


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
@pytest.mark.parametrize("level", ["low", "high"])
def test_a_low_value_bites_and_a_high_one_does_not(make_provider, https_proxy, row, level):
    changes = merged(setting(row.key, getattr(row, level)), row.others)
    scene = Scene(
        make_provider(changes=merged(changes, {"openbao": {"address": https_proxy.address}})),
        https_proxy,
    )
    if not row.starts:
        scene.provider.start_healthy()
    started = time.monotonic()
    row.effect(scene)
    seconds = time.monotonic() - started
    assert (seconds < row.limit_seconds) == (level == "low"), f"{seconds:.1f} s"


@pytest.mark.parametrize("budget", [2, 60])
def test_the_login_budget_is_what_stops_logins(openbao, make_provider, budget):
    tenant = Tenant(openbao)
    provider = make_provider(tenant, setting("auth.loginBudgetPerMinute", budget)).start_healthy()

    def logins() -> int:
        return len(tenant.openbao.audit_requests(f"{tenant.auth_mount}/login"))

    wait_for(lambda: logins() == WORKERS, "the logins of the start")
    for pid in provider.pids(WORKER):
        os.kill(pid, signal.SIGKILL)
    if budget == WORKERS:
        refused = {"message": "auth.login", "login_budget": "used_up"}
        wait_for(
            lambda: any(refused.items() <= record.items() for record in provider.log_events()),
            "a login that the budget refuses",
        )
        assert logins() == WORKERS
    else:
        wait_for(lambda: logins() == 2 * WORKERS, "the logins of the new workers")


@pytest.mark.parametrize(("mode", "group"), [("0600", 54321), ("0660", 54322)])
def test_the_socket_is_as_configured(make_provider, mode, group):
    changes = {"server": {"socketMode": mode, "socketGroup": str(group)}}
    provider = make_provider(changes=changes)
    provider.daemon.start_through(["/usr/bin/setpriv", f"--groups={group}", "--"])
    found = provider.start_healthy().socket_path.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (int(mode, 8), group)
