"""tests/lab/up and tests/lab/down: the whole system on one machine, with everything below
build/lab.

Each clone of the repository has a lab of its own, with sockets in a folder of their own, so that
the labs of two clones run side by side and `down` ends only that of its own clone.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import sys
from pathlib import Path

from . import processes
from .daemon import Daemon
from .kubernetes import ApiServer, Etcd, encryption_config, secret_key
from .lanes import LaneError, build, fetch
from .openbao import OpenBao
from .provider import INSTALLED, Provider
from .tenant import Tenant
from .tools import REPOSITORY, RigError, fetched, provider_binary
from .waits import wait_for
from .workspace import SOCKET_ROOT, Workspace

ROOT = REPOSITORY / "build" / "lab"
STATE = ROOT / "state.json"
# For the operator's shell: what `bao` and the provider's commands need to reach this lab.
ENVIRONMENT = ROOT / "environment"
# The kernel keeps the path of a socket short (108 bytes), so a digest stands for that of the clone.
SOCKETS = SOCKET_ROOT / f"lab-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}"
PLAINTEXT = b"kubernetes secret payload"
SECRET = {"password": b"correct horse battery staple"}
JWT_SECONDS = 7 * 24 * 3600
SHOWN_BYTES = 64


class LabWorkspace(Workspace):
    """A workspace whose programs go on after `up` ends; state.json tells `down` what they are."""

    def __init__(self):
        ROOT.mkdir(mode=0o700, parents=True)
        self._use_root(ROOT)

    def socket_folder(self) -> Path:
        """The folder below /run/openbao-kms that belongs to this clone's lab."""
        SOCKET_ROOT.mkdir(mode=0o755, exist_ok=True)
        SOCKETS.mkdir(mode=0o750)
        return SOCKETS

    def daemon(self, name: str, argv, env=None, fatal=None) -> Daemon:
        """As in Workspace, but the program outlives us."""
        process = Daemon(name, argv, self.root / f"{name}.log", env, outlive=True, fatal=fatal)
        self._daemons.append(process)
        return process

    def save(self) -> None:
        """Writes what runs now."""
        running = [
            {"name": daemon.name, "pid": daemon.pid, "started": processes.start_time(daemon.pid)}
            for daemon in self._daemons
            if daemon.alive
        ]
        STATE.write_text(json.dumps(running, indent=2) + "\n")


def _runs(entry) -> bool:
    """Whether the process of state.json still runs; another one may have its number by now."""
    return processes.start_time(entry["pid"]) == entry["started"]


def _entries() -> list:
    return json.loads(STATE.read_text()) if STATE.exists() else []


def down() -> None:
    """Stops what `up` started, newest first, and removes its files."""
    for entry in reversed(_entries()):
        if not _runs(entry):
            continue
        print(f"stopping {entry['name']} ({entry['pid']})", flush=True)
        os.kill(entry["pid"], signal.SIGTERM)
        try:
            wait_for(lambda: not _runs(entry), f"the end of {entry['name']}", deadline=30)
        except RigError:
            os.kill(entry["pid"], signal.SIGKILL)
    for path in (SOCKETS, ROOT):
        shutil.rmtree(path, ignore_errors=True)


def title(text: str) -> None:
    """A heading in the output."""
    print(f"\n== {text}", flush=True)


def start_provider(workspace: LabWorkspace) -> Provider:
    """OpenBao, a tenant called lab, and the provider with the product's own defaults."""
    title("OpenBao")
    openbao = OpenBao(workspace).start()
    workspace.save()
    tenant = Tenant(openbao, "lab")
    provider = Provider(workspace, tenant, {"bootstrap": None, "status": None})
    provider.install_policy()
    provider.write_jwt(ttl_seconds=JWT_SECONDS)
    print(f"address        {openbao.address} (CA {openbao.ca_file})")
    print(f"audit log      {openbao.audit_log}")
    print(f"Transit key    {tenant.transit_mount}/keys/{tenant.key_name}")
    print(f"login          {tenant.auth_mount}, role {tenant.role}, policy {tenant.policy_name}")
    programs = [str(Path(program).parent) for program in (fetched("openbao"), provider_binary())]
    ENVIRONMENT.touch(mode=0o600)
    ENVIRONMENT.write_text(
        f"export BAO_ADDR={openbao.address} BAO_CACERT={openbao.ca_file}\n"
        f"export BAO_TOKEN={openbao.root_token} PATH={':'.join(programs)}:$PATH\n"
        f"export BAO_KMS_PROVIDER_CONFIG={provider.config_path}\n"
    )
    print(f"administrator  . {ENVIRONMENT} prepares a shell for bao and bao-kms-provider")
    title("bao-kms-provider serve")
    provider.start_healthy()
    workspace.save()
    print(f"configuration  {provider.config_path}")
    print(f"log            {provider.daemon.log_path}")
    print(f"socket         unix://{provider.socket_path}")
    print(f"health         http://127.0.0.1:{provider.health_port}/ready")
    print(f"metrics        http://127.0.0.1:{provider.metrics_port}/metrics")
    return provider


def show_round_trip(provider: Provider) -> None:
    """One Encrypt and one Decrypt through the socket, and the program's own probe."""
    title("Encrypt and Decrypt through the socket")
    with provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        decrypted = client.decrypt(encrypted)
    if decrypted != PLAINTEXT:
        raise RigError("Decrypt gave other bytes than were encrypted")
    print(f"key_id         {encrypted.key_id}")
    print(f"ciphertext     {encrypted.ciphertext.decode()}")
    for name, value in sorted(encrypted.annotations.items()):
        print(f"annotation     {name} = {value.decode()}")
    print(f"decrypted      {decrypted.decode()}")
    title("bao-kms-provider probe")
    print(provider.run("probe", "--socket", str(provider.socket_path)).stdout.rstrip())


def show_processes(provider: Provider) -> None:
    """The process table with what isolates each process."""
    title("Processes")
    print(processes.table(provider.processes()))


def show_kubernetes(workspace: LabWorkspace, provider: Provider, version: str) -> None:
    """A Secret through a real API server, across a restart, and its bytes in etcd."""
    name = provider.config["transit"]["keyIdScope"]["providerName"]
    etcd = Etcd(workspace).start()
    encryption = encryption_config(name, provider.socket_path)
    api = ApiServer(workspace, etcd, encryption, version)
    title(f"kube-apiserver {api.version}")
    api.start()
    workspace.save()
    print(f"running        {api.version_info()} at https://localhost:{api.port}")
    api.create_secret("lab", SECRET)
    print("created        Secret default/lab")
    api.restart()
    workspace.save()
    print("restarted      kube-apiserver")
    if api.read_secret("lab") != SECRET:
        raise RigError("the Secret is not what was stored")
    print(f"read back      password = {SECRET['password'].decode()}")
    stored, prefix = etcd.get(secret_key("lab")), f"k8s:enc:kms:v2:{name}:".encode()
    if not stored.startswith(prefix):
        raise RigError(f"etcd holds {stored[:SHOWN_BYTES]!r}, which does not begin with {prefix!r}")
    if SECRET["password"] in etcd.dump():
        raise RigError("the plaintext is in etcd")
    print(f"in etcd        {stored[:SHOWN_BYTES]!r}... ({len(stored)} bytes, no plaintext)")


def up(version) -> None:
    """version: None = no Kubernetes, "" = the default one."""
    if any(_runs(entry) for entry in _entries()):
        raise RigError(f"the lab of this clone runs already; {REPOSITORY}/tests/lab/down ends it")
    down()
    if "BAOKMS_BIN" not in os.environ:
        build("release", INSTALLED)
    fetch("openbao")
    if version is not None:
        fetch("etcd", f"kube-apiserver={version}" if version else "kube-apiserver")
    workspace = LabWorkspace()
    try:
        provider = start_provider(workspace)
        show_round_trip(provider)
        if version is not None:
            show_kubernetes(workspace, provider, version)
        show_processes(provider)
    except Exception:
        workspace.save()
        print(workspace.log_tails(), file=sys.stderr)
        raise
    print(f"\nEverything runs on. {REPOSITORY}/tests/lab/down ends it and removes its files.")


def main(arguments) -> int:
    """Returns the exit status."""
    action = arguments[0]
    parser = argparse.ArgumentParser(prog=f"tests/lab/{action}")
    if action == "up":
        parser.add_argument(
            "--kubernetes",
            nargs="?",
            const="",
            metavar="VERSION",
            help="add etcd and kube-apiserver",
        )
    options = parser.parse_args(arguments[1:])
    try:
        down() if action == "down" else up(options.kubernetes)
    except (LaneError, RigError) as error:
        print(f"tests/lab/{action}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
