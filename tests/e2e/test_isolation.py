"""What is in force for each process, as the running provider and the command isolation show it."""

import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rig.provider import AGENT, SPAWNER, WORKER
from rig.tools import provider_binary
from rig.waits import wait_for

NOBODY = 65534
PLAINTEXT = b"kubernetes secret payload"
PROCESSES = ("auth_agent", "spawner", "supervisor", "worker_0", "worker_1")


@pytest.fixture
def with_worker(monkeypatch, tmp_path):
    """Has the next provider run copies of the programs, with one of the tests in place of the
    worker.
    """
    own = Path(provider_binary())

    def install(program: str = "") -> None:
        for name in (own.name, SPAWNER, WORKER, AGENT):
            (tmp_path / name).unlink(missing_ok=True)
            shutil.copy(own.with_name(name), tmp_path)
        if program:
            shutil.copy(own.parents[1] / "tests" / program, tmp_path / WORKER)
            (tmp_path / WORKER).chmod(0o111)
        monkeypatch.setenv("BAOKMS_BIN", str(tmp_path))

    return install


def sandbox_state(provider, process: str) -> dict:
    """The values of the metric by mechanism."""
    values = {}
    for mechanism in ("seccomp", "no_new_privileges", "capabilities"):
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
            "capabilities": 1.0,
        }


def isolation(provider, *arguments, code: int = 0, through=()) -> dict:
    """The report of the command by check: status and message."""
    done = provider.run("isolation", "--output", "json", *arguments, check=False, through=through)
    assert done.returncode == code, (done.stdout, done.stderr)
    report = json.loads(done.stdout)
    assert report["name"] == "isolation"
    return {row["id"]: (row["status"], row.get("message", "")) for row in report["checks"]}


def falling_short(rows: dict, status: str = "fail") -> set:
    return {name for name, (result, _) in rows.items() if result == status}


EXPECTED_WARNINGS = {
    "promise.users",
    "promise.landlock",
    "promise.credentials",
    "promise.configuration",  # the tests run as root, who owns everything
    "promise.network",
}


def test_a_running_provider_keeps_every_promise(provider):
    rows = isolation(provider)
    assert falling_short(rows) == set()
    warnings = falling_short(rows, "warn")
    # Only Landlock keeps root from replacing programs.
    allowed = {"promise.programs"} if "promise.landlock" in warnings else set()
    assert warnings <= EXPECTED_WARNINGS | allowed
    assert rows["isolation.subject"][1].startswith("the running provider, process ")
    assert rows["promise.secret_pages"] == ("pass", "memfd_secret")
    for process in PROCESSES:
        _, facts = rows[f"process.{process}"]
        assert "capabilities 0x0; no_new_privs; seccomp filters " in facts
        assert "; not dumpable, " in facts
        assert "; limits core 0, " in facts
    assert "auth.jwt.jwtFile" in rows["promise.credentials"][1]


def test_a_dry_start_keeps_every_promise_and_touches_nothing(make_provider):
    provider = make_provider()
    provider.write_config({"openbao": {"address": "https://127.0.0.1:1"}})  # nobody is there
    rows = isolation(provider)
    assert falling_short(rows) == set()
    assert rows["isolation.subject"][1] == "a dry start, because no provider runs"
    assert {f"process.{process}" for process in PROCESSES} <= set(rows)
    assert os.listdir(provider.folder / "state") == []
    assert not provider.socket_path.exists()


@pytest.mark.parametrize("running", [True, False], ids=["running", "dry"])
def test_separate_users_keep_more_promises(make_provider, running):
    provider = make_provider(separate=True)
    if running:
        provider.start_healthy()
        assert provider.ready()[1]["isolation"]["processes"]["spawner"] == "confined"
    rows = isolation(provider)
    assert falling_short(rows) == set()
    assert rows["promise.users"] == ("pass", "separate-users")
    assert rows["promise.credentials"][0] == "pass"
    assert "; capabilities 0xc0; " in rows["process.spawner"][1]
    assert "; capabilities 0x0; " in rows["process.supervisor"][1]


def test_secrets_in_pages_that_are_only_locked_are_shown(make_provider):
    provider = make_provider()
    provider.refuse_secret_memory()
    provider.start_healthy()
    rows = isolation(provider)
    assert falling_short(rows) == set()
    assert rows["promise.secret_pages"] == (
        "warn",
        "locked pages, which root can read, in auth_agent, worker_0, worker_1",
    )
    with provider.client() as client:
        assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT


def test_a_dry_start_is_confined_as_the_running_provider(make_provider):
    provider = make_provider().start_healthy()
    running = isolation(provider)
    assert provider.stop() == 0
    dry = isolation(provider)
    for promise in ("users", "filters", "programs", "landlock", "credentials"):
        assert dry[f"promise.{promise}"] == running[f"promise.{promise}"]


def test_watching_prints_what_changes(make_provider):
    provider = make_provider().start_healthy()
    command = [provider_binary(), "--config", str(provider.config_path), "isolation", "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watch:
        try:
            while not watch.stdout.readline().startswith("[pass] promise.pin"):
                pass
            with provider.client() as client:  # connections, which are nothing new
                client.encrypt(PLAINTEXT)
            os.kill(min(provider.pids(WORKER)), signal.SIGKILL)
            assert re.fullmatch(r"[0-9-]{10}T[0-9:]{8}Z\n", watch.stdout.readline())
            lines = iter(watch.stdout.readline, "")
            before = list(itertools.takewhile(lambda line: "process.worker_" not in line, lines))
            assert not [line for line in before if "promise.users" in line]
        finally:
            watch.kill()


def test_watching_ends_with_the_provider(make_provider):
    provider = make_provider().start_healthy()
    command = [provider_binary(), "--config", str(provider.config_path), "isolation", "--watch"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
        assert watch.stdout.readline() == "isolation\n"
        assert provider.stop() == 0
        _, errors = watch.communicate(timeout=20)
        assert (watch.returncode, errors) == (4, "the provider has ended\n")


def test_a_worker_without_a_filter_falls_short(make_provider, with_worker):
    with_worker("pretending_worker")
    provider = make_provider().start_healthy()
    assert falling_short(isolation(provider, code=4)) == {"promise.filters"}
    assert provider.stop() == 0
    assert falling_short(isolation(provider, code=4)) == {"promise.filters"}


def test_programs_that_can_be_read_are_shown(make_provider, with_worker, tmp_path):
    with_worker()
    provider = make_provider().start_healthy()
    for program in (SPAWNER, WORKER, AGENT):
        (tmp_path / program).chmod(0o555)
        rows = isolation(provider)
        assert "promise.programs" in falling_short(rows, "warn")
        assert f"{program} can be read" in rows["promise.programs"][1]
    (tmp_path / WORKER).chmod(0o577)
    assert falling_short(isolation(provider, code=4)) == {"promise.programs"}


def test_a_kernel_that_shows_the_memory_of_starting_children_is_seen_later(make_provider):
    provider = make_provider().start_healthy()
    assert isolation(provider)["promise.programs"][0] == "pass"
    value = provider.folder / "suid_dumpable"  # in place of the machine's own
    value.write_text("1\n")
    script = f'mount --bind "{value}" /proc/sys/fs/suid_dumpable && exec "$@"'
    through = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script, "sh"]
    rows = isolation(provider, code=4, through=through)
    assert falling_short(rows) == {"promise.programs"}
    assert "fs.suid_dumpable is 1" in rows["promise.programs"][1]


def test_a_configuration_that_the_service_user_owns_is_shown(make_provider):
    provider = make_provider(changes={"server": {"socketGroup": str(NOBODY)}})
    authority = shutil.copy(provider.config["openbao"]["caCertFile"], provider.folder / "ca.pem")
    provider.write_config({"openbao": {"caCertFile": str(authority)}})
    for path in [provider.folder, *provider.folder.rglob("*"), provider.socket_path.parent]:
        os.chown(path, NOBODY, NOBODY)
    provider.folder.parent.chmod(0o711)
    provider.daemon.start_through(
        ["/usr/bin/setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
    )
    provider.start_healthy()
    rows = isolation(provider)
    assert falling_short(rows) == set()
    assert f"uid {NOBODY}; gid {NOBODY}; groups none; " in rows["process.worker_0"][1]
    assert "the file of --config" in rows["promise.configuration"][1]
    assert "promise.configuration" in falling_short(rows, "warn")
    os.chown(provider.config_path, 0, NOBODY)
    os.chown(authority, 0, NOBODY)
    provider.config_path.chmod(0o640)
    # Whoever owns the directory can put another file there.
    assert "promise.configuration" in falling_short(isolation(provider), "warn")
    os.chown(provider.folder, 0, NOBODY)
    assert "promise.configuration" not in falling_short(isolation(provider), "warn")


@pytest.mark.parametrize(
    "changes, status, message",
    [
        ({"verifyDecrypt": "always"}, "pass", "before they are given"),
        ({"verifyDecrypt": "off"}, "warn", "isolation.verifyDecrypt is off"),
        ({"workers": 1}, "warn", "isolation.workers is 1"),
    ],
)
def test_who_is_believed_alone_is_shown(make_provider, changes, status, message):
    rows = isolation(make_provider(changes={"isolation": changes}))
    assert rows["promise.verification"][0] == status
    assert message in rows["promise.verification"][1]
    assert rows["promise.pin"] == ("pass", "no PIN is used")


def test_a_provider_that_does_not_answer_is_judged_by_the_kernel_alone(make_provider):
    provider = make_provider().start_healthy()
    provider.write_config({"server": {"healthAddress": "127.0.0.1:1"}})
    rows = isolation(provider)
    assert falling_short(rows) == set()
    assert "does not answer on server.healthAddress" in rows["isolation.subject"][1]
    assert rows["promise.filters"][0] == "warn"


def test_serve_check_says_whether_serve_would_start(make_provider, with_worker):
    provider = make_provider()
    done = provider.run("serve", "--check")
    assert done.stdout == (
        "the configuration is valid, and these processes are confined:"
        " auth_agent spawner supervisor worker_0 worker_1\n"
    )
    assert os.listdir(provider.folder / "state") == []
    provider.write_config({"openbao": {"timeout": "0s"}})
    assert provider.run("serve", "--check", check=False).returncode == 3


# Runs a program under a filter as of a container that knows nothing of Landlock.
WITHOUT_LANDLOCK = """
import ctypes, os, sys
library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
context = ctypes.c_void_p(library.seccomp_init(0x7FFF0000))
assert library.seccomp_rule_add(context, 0x00050001, 444, 0) == 0  # landlock_create_ruleset: EPERM
assert library.seccomp_load(context) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize("flags", [[], ["--check"]], ids=["serve", "serve --check"])
def test_serve_check_refuses_what_serve_refuses(make_provider, flags):
    provider = make_provider(changes={"isolation": {"landlock": "require"}})
    command = [provider_binary(), "--config", str(provider.config_path), "serve", *flags]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LANDLOCK, *command],
        capture_output=True,
        text=True,
        timeout=60,
        env={},
    )
    assert done.returncode == 3, done.stderr
    assert "isolation.landlock: is require, but a system call filter of the" in done.stderr


def test_serve_check_finds_a_worker_without_a_filter(make_provider, with_worker):
    with_worker("unfiltered_worker")
    done = make_provider().run("serve", "--check", check=False)
    assert (done.returncode, done.stdout) == (5, "")
    assert "cannot start: the system call filter is not in force" in done.stderr
    with_worker("pretending_worker")
    done = make_provider().run("serve", "--check", check=False)
    assert (done.returncode, done.stderr) == (4, "not confined: worker_0 worker_1\n")
