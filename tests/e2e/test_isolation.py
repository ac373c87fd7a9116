"""What is in force for each process, as the running provider shows it."""

import shutil
from pathlib import Path

import pytest

from rig.provider import AGENT, SPAWNER, WORKER
from rig.tools import provider_binary
from rig.waits import wait_for

PROCESSES = ("auth_agent", "spawner", "supervisor", "worker_0", "worker_1")


@pytest.fixture
def with_worker(monkeypatch, tmp_path):
    """Has the next provider run a program of the tests in place of the worker."""

    def install(program: str) -> None:
        own = Path(provider_binary())
        for name in (own.name, SPAWNER, AGENT):
            shutil.copy(own.with_name(name), tmp_path)
        shutil.copy(own.parents[1] / "tests" / program, tmp_path / WORKER)
        (tmp_path / WORKER).chmod(0o111)
        monkeypatch.setenv("BAOKMS_BIN", str(tmp_path))

    return install


def sandbox_state(provider, process: str) -> dict:
    """The values of the metric by mechanism."""
    values = {}
    for mechanism in ("seccomp", "no_new_privileges", "no_capabilities"):
        name = f'openbao_kms_sandbox_state{{mechanism="{mechanism}",process="{process}"}}'
        values[mechanism] = provider.metrics().get(name)
    return values


def test_metric_and_ready_cover_every_process(shared_provider):
    isolation = shared_provider.ready()[1]["isolation"]
    assert tuple(isolation["processes"]) == PROCESSES
    for process in PROCESSES:
        assert isolation["processes"][process] == "confined"
        assert set(sandbox_state(shared_provider, process).values()) == {1.0}
    inherited = isolation["inherited_filters"]
    details = isolation["details"]
    assert {name: details[name]["filters"] - inherited for name in PROCESSES} == {
        "auth_agent": 2,
        "spawner": 1,
        "supervisor": 1,
        "worker_0": 2,
        "worker_1": 2,
    }
    assert {details[name]["refused"] for name in PROCESSES} == {"dup3", "getppid"}


def test_a_worker_without_a_filter_of_its_own_does_not_start(make_provider, with_worker):
    with_worker("unfiltered_worker")
    provider = make_provider().start()

    def failures():
        return [e for e in provider.log_events() if e["message"] == "process.start_failed"]

    wait_for(failures, "the record of a failed start")
    assert failures()[0]["child"] in ("worker_0", "worker_1")
    assert failures()[0]["step"] == "the system call filter is not in force"
    assert not provider.ready()[1]["isolation"]["processes"].get("worker_0")


def test_a_worker_that_only_says_that_it_is_filtered_is_not_called_confined(
    make_provider, with_worker
):
    with_worker("pretending_worker")
    provider = make_provider().start_healthy()
    assert provider.ready()[1]["isolation"]["processes"] == {
        "auth_agent": "confined",
        "spawner": "confined",
        "supervisor": "confined",
        "worker_0": "unconfined",
        "worker_1": "unconfined",
    }
    for worker in ("worker_0", "worker_1"):
        assert sandbox_state(provider, worker) == {
            "seccomp": 0.0,
            "no_new_privileges": 1.0,
            "no_capabilities": 1.0,
        }
