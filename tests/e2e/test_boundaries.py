"""What each running process has mapped, and what must never be found in its output or environment.
"""

import base64
import re
from pathlib import Path

import pytest

from rig import processes
from rig.kms import KmsError
from rig.provider import AGENT, SPAWNER, WORKER
from rig.tenant import Tenant

SUPERVISOR = "bao-kms-provider"
FORBIDDEN = {
    SUPERVISOR: ("libcurl", "libssl", "libgrpc++.so"),
    SPAWNER: ("libgrpc", "libyaml-cpp", "libspdlog", "libcurl", "libssl", "libcrypto"),
    WORKER: ("libgrpc", "libyaml-cpp", "libspdlog", "libp11.so", "libsofthsm"),
    AGENT: ("libgrpc", "libyaml-cpp", "libspdlog"),
}
# The spawner's filter is inherited by what it starts; each child adds its own (docs/security.md).
FILTERS = {SUPERVISOR: 1, SPAWNER: 1, WORKER: 2, AGENT: 2}
PLAINTEXT = b"correct horse battery staple, sixteen times"
TOKEN = re.compile(rb"\bs\.[A-Za-z0-9]{20,}|hv[bs]\.[A-Za-z0-9_-]{20,}")


def running(provider, program: str) -> list:
    found = processes.running(provider.processes(), [program])
    assert found, f"no {program} runs"
    return found


@pytest.mark.parametrize("program", FORBIDDEN)
def test_no_process_maps_a_library_beyond_its_boundary(shared_provider, program):
    for process in running(shared_provider, program):
        mapped = processes.mapped_libraries(process.pid)
        assert any(name.startswith("libc.so") for name in mapped)
        assert not [name for name in mapped if name.startswith(FORBIDDEN[program])]


@pytest.mark.parametrize("program", FORBIDDEN)
def test_every_process_is_under_a_filter_without_new_privileges(shared_provider, program):
    for process in running(shared_provider, program):
        assert process.seccomp == "filter"
        assert process.no_new_privs
        assert set(processes.own_filters(process.pid)) == {FILTERS[program]}


def test_no_process_may_leave_a_core_file(shared_provider):
    everyone = shared_provider.processes()
    assert len(everyone) == 5  # supervisor, spawner, agent, two workers
    for process in everyone:
        limits = (Path("/proc") / str(process.pid) / "limits").read_text()
        assert re.search(r"^Max core file size\s+0\s+0\s", limits, re.MULTILINE), process.name


def test_two_workers_and_one_agent_run(shared_provider):
    assert len(running(shared_provider, WORKER)) == 2
    assert len(running(shared_provider, AGENT)) == 1


def test_worker_and_agent_inherit_nothing_from_the_environment_of_the_caller(make_provider):
    provider = make_provider()
    key_log = provider.folder / "tls-keys.log"
    provider.daemon.env = {"SSLKEYLOGFILE": str(key_log), "LD_BIND_NOW": "1", "HTTPS_PROXY": "none"}
    provider.start_healthy()
    for process in [*running(provider, WORKER), *running(provider, AGENT)]:
        environment = (Path("/proc") / str(process.pid) / "environ").read_bytes()
        names = {entry.partition(b"=")[0] for entry in environment.split(b"\0") if entry}
        assert not names & {name.encode() for name in provider.daemon.env}
        assert not TOKEN.search(environment)
    assert not key_log.exists()


def test_no_token_jwt_or_plaintext_appears_in_anything_the_provider_shows(
    own_openbao, make_provider
):
    provider = make_provider(Tenant(own_openbao), {"logging": {"level": "debug"}}).start_healthy()
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        assert client.decrypt(encrypted) == PLAINTEXT
        provider.tenant.write_policy('path "none" { capabilities = ["read"] }')
        with pytest.raises(KmsError) as refused:
            client.decrypt(encrypted)
        own_openbao.kill()
        with pytest.raises(KmsError) as unreachable:
            client.decrypt(encrypted)
        environments = [
            (Path("/proc") / str(process.pid) / "environ").read_bytes()
            for process in provider.processes()
        ]
    shown = b"\n".join(
        [
            provider.daemon.log_text().encode(),
            provider.get("/metrics")[1].encode(),
            provider.get("/ready")[1].encode(),
            refused.value.text.encode(),
            unreachable.value.text.encode(),
            *environments,
        ]
    )
    jwt = provider.jwt_path.read_bytes()
    secrets = [
        jwt,
        *jwt.split(b"."),
        PLAINTEXT,
        base64.b64encode(PLAINTEXT)[:-4],
        encrypted.ciphertext,
    ]
    assert b"serve.start" in shown and len(environments) == 5
    assert not [secret for secret in secrets if secret in shown]
    assert not TOKEN.search(shown)
