"""What separates the processes at each isolation level, on the real programs."""

import json
import os
import signal
from pathlib import Path

import pytest

from rig.kms import KmsError
from rig.processes import is_running, program
from rig.provider import AGENT, SPAWNER, WORKER
from rig.users import (
    AGENT_IDS,
    NO_CAPABILITIES,
    SUPERVISOR_IDS,
    WORKER_IDS,
    reads,
)
from rig.waits import wait_for

PLAINTEXT = b"kubernetes secret payload"
SUPERVISOR = "bao-kms-provider"
TWO = "00000000000000c0"  # CAP_SETUID and CAP_SETGID
NONE = "0000000000000000"


@pytest.fixture(params=[False, True], ids=["single-user", "separate-users"])
def leveled(request, make_provider):
    """A healthy provider at each level."""
    return make_provider(separate=request.param).start_healthy()


@pytest.fixture
def separate(make_provider):
    """A healthy provider whose roles have users of their own."""
    return make_provider(separate=True).start_healthy()


def status(pid: int) -> dict:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.split() for name, _, value in (line.partition(":") for line in lines)}


def works(provider, encrypted=None) -> bool:
    with provider.client() as client:
        return client.decrypt(encrypted or client.encrypt(PLAINTEXT)) == PLAINTEXT


def test_each_process_has_a_user_of_its_own(separate):
    found = {}
    for process in separate.processes():
        now = status(process.pid)
        found.setdefault(program(process.pid), set()).add(
            (tuple(now["Uid"]), tuple(now["Gid"]), tuple(now["Groups"]))
        )
        assert now["NoNewPrivs"] == ["1"] and now["Seccomp"] == ["2"]
        allowed = TWO if program(process.pid) == SPAWNER else NONE
        assert now["CapPrm"] == now["CapEff"] == [allowed]
        assert now["CapInh"] == now["CapAmb"] == [NONE]

    def only(ids) -> tuple:
        return ((str(ids[0]),) * 4, (str(ids[1]),) * 4, ())

    assert found == {
        SUPERVISOR: {only(SUPERVISOR_IDS)},
        SPAWNER: {only(SUPERVISOR_IDS)},
        AGENT: {only(AGENT_IDS)},
        WORKER: {only(ids) for ids in WORKER_IDS[:2]},
    }
    assert works(separate)
    assert separate.ready()[1]["isolation"]["level"] == "separate-users"


def test_workers_may_share_a_user(make_provider):
    provider = make_provider(separate=True)
    ids = WORKER_IDS[5]
    provider.write_config({"isolation": {"workerUsers": None, "workerUser": f"{ids[0]}:{ids[1]}"}})
    provider.start_healthy()
    assert works(provider)
    uids = [tuple(status(pid)["Uid"]) for pid in provider.pids(WORKER)]
    assert uids == [(str(ids[0]),) * 4] * 2


def test_the_supervisor_has_its_user_whoever_owns_the_state(make_provider):
    provider = make_provider(separate=True)
    provider.write_config({"isolation": {"supervisorUser": "64099:64199"}})
    provider.daemon.start()
    assert provider.daemon.wait_exit() == 3
    line = f"state.path: its directory belongs to {SUPERVISOR_IDS[0]} but the provider runs as 64099"
    assert line in provider.daemon.log_text()


def test_a_credential_of_systemd_is_handed_to_the_agent(make_provider):
    provider = make_provider(separate=True)
    path = provider.load_credential("jwt", provider.tenant.issue_jwt())
    provider.write_config({"auth": {"jwt": {"jwtFile": path}}})
    provider.start_healthy()
    file = provider.folder / "credentials/jwt"
    assert reads(SUPERVISOR_IDS, file) and not reads(AGENT_IDS, file)
    for name in (AGENT, WORKER):  # whoever replaces them has it as well
        os.kill(min(provider.pids(name)), signal.SIGKILL)
        wait_for(lambda: len(provider.processes()) == 5, "the next one", ignoring=(OSError,))
        wait_for(lambda: works(provider), "a token", ignoring=(OSError, KmsError))
    environment = {"CREDENTIALS_DIRECTORY": str(file.parent)}
    report = provider.run("isolation", "--output", "json", environment=environment).stdout
    rows = {row["id"]: row for row in json.loads(report)["checks"]}
    assert "fail" not in {row["status"] for row in rows.values()}
    assert "1 file" in rows["process.auth_agent"]["message"]
    assert "can read the file of auth.jwt.jwtFile" in rows["promise.credentials"]["message"]


def test_only_the_agent_can_read_the_credential(separate):
    assert reads(AGENT_IDS, separate.jwt_path)
    for others in (SUPERVISOR_IDS, *WORKER_IDS[:2]):
        assert not reads(others, separate.jwt_path)
    assert reads(SUPERVISOR_IDS, separate.folder / "state" / "key-registry.json")
    for others in (AGENT_IDS, *WORKER_IDS[:2]):
        assert not reads(others, separate.folder / "state" / "key-registry.json")


@pytest.mark.parametrize("program", [WORKER, AGENT])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_child_is_replaced(separate, program, number):
    with separate.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        before = separate.pids(program)
        victim = min(before)
        os.kill(victim, number)
        for _ in range(20):
            assert client.decrypt(encrypted) == PLAINTEXT
        wait_for(
            lambda: victim not in separate.pids(program)
            and len(separate.pids(program)) == len(before),
            f"another {program}",
        )
    assert works(separate, encrypted)
    separate.wait_healthy()


def test_no_child_outlives_the_supervisor(leveled):
    members = [process.pid for process in leveled.processes()]
    stopped = [*leveled.pids(AGENT), min(leveled.pids(WORKER))]
    for pid in stopped:  # they do not notice anything
        os.kill(pid, signal.SIGSTOP)
    leveled.daemon.kill()
    wait_for(lambda: not any(is_running(pid) for pid in members), "the end of all children")


def test_no_supervisor_no_service(separate):
    encrypted = None
    with separate.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
    separate.kill()
    separate.start_healthy()
    assert works(separate, encrypted)


@pytest.mark.parametrize("use", ["require", "off"])
def test_landlock_takes_the_credential_from_a_supervisor_of_the_same_user(make_provider, use):
    provider = make_provider(changes={"isolation": {"landlock": use}}).start_healthy()
    level = next(e for e in provider.log_events() if e["message"] == "isolation.level")
    assert level["credential_readable"] == (use == "off")
    assert (level["landlock_abi"] > 0) == (use == "require")
    assert works(provider)


def test_auto_means_one_user_without_capabilities(make_provider):
    provider = make_provider(changes={"isolation": {"separateUsers": "auto"}})
    provider.daemon.start_through(NO_CAPABILITIES)
    provider.start_healthy()
    assert provider.ready()[1]["isolation"]["level"] == "single-user"
    level = next(e for e in provider.log_events() if e["message"] == "isolation.level")
    assert (level["status"], level["reason"]) == ("single-user", "no_capability")


@pytest.mark.parametrize(
    ("changes", "through", "line"),
    [
        ({"separateUsers": "require"}, NO_CAPABILITIES, "isolation.separateUsers: is require"),
        ({"separateUsers": "auto"}, [], "isolation.authAgentUser: the user openbao-kms-auth does"),
        ({"separateUsers": "auto", "authAgentUser": "64002:64102"}, [], "isolation.workerUser: the user"),
    ],
)
def test_a_level_that_cannot_be_had_ends_the_start(make_provider, changes, through, line):
    provider = make_provider(changes={"isolation": changes})
    provider.daemon.start_through(through)
    provider.daemon.start()
    assert provider.daemon.wait_exit() == 3
    assert line in provider.daemon.log_text()
