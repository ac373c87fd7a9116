"""A control-plane node: systemd, booted in a container out of this machine's /usr, with the provider
installed as docs/install.md says.
"""

import shutil
import subprocess
from pathlib import Path

import yaml

from . import processes
from .config import merged, provider_config
from .kms import KmsClient, KmsError
from .provider import INSTALLED, FATAL, PROGRAMS
from .tenant import Tenant
from .tools import REPOSITORY, RigError, binary
from .waits import ConditionImpossible, free_port, wait_for

SERVICE, SOCKET = "bao-kms-provider.service", "bao-kms-provider.socket"
CONFIG, CA = "/etc/openbao-kms/config.yaml", "/etc/openbao-kms/tls/ca.crt"
JWT = "/etc/openbao-kms/credentials/identity.jwt"
SOCKET_PATH = "/run/openbao-kms/kms.sock"
FROZEN = ".*Freezing execution.*"  # what process 1 says when it can go no further


class Node:
    """Shares the network with this machine, so that the tenant's OpenBao is reached, and its
    programs; everything else is its own. Needs root.
    """

    def __init__(self, workspace, tenant: Tenant, separate=False):
        self.tenant = tenant
        self.separate = separate  # each role has a user of its own
        self.root = workspace.folder("node", mode=0o755)
        self.health_port = free_port()
        paths = {
            "server": {"socketGroup": "openbao-kms-socket"},
            "openbao": {"caCertFile": CA},
            "auth": {"jwt": {"jwtFile": JWT}},
            "state": {"path": "/var/lib/openbao-kms/state/key-registry.json"},
        }
        # The default: what the unit's capabilities say.
        paths["isolation"] = {"separateUsers": "require" if separate else "auto"}
        base = provider_config(
            tenant, Path("/nowhere"), Path(SOCKET_PATH), (free_port(), self.health_port)
        )
        self.config = merged(base, paths)
        programs = workspace.folder("programs/bin", mode=0o755)
        for name in INSTALLED:
            shutil.copy(binary(name), programs)
        self._make_root()
        self.daemon = workspace.daemon(
            "node",
            ["/usr/bin/systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot"]
            + [f"--directory={self.root}", f"--overlay-ro=/usr:{programs.parent}:/usr"]
            # A machine of its own lets everybody lock memory, up to a limit; a container does not.
            + ["--console=read-only", "--system-call-filter=@memlock memfd_secret bpf"]
            + ["--capability=CAP_BPF,CAP_NET_ADMIN"],  # for the address filter
            env={"SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "PATH": "/usr/sbin:/usr/bin"},
            fatal=f"{FROZEN}|{FATAL}",
        )

    def _make_root(self) -> None:
        for name in ("dev", "etc/systemd/system", "proc", "root", "run", "sys", "tmp", "usr", "var"):
            (self.root / name).mkdir(parents=True)
        for name in ("bin", "lib", "lib64", "sbin"):
            (self.root / name).symlink_to(f"usr/{name}")
        (self.root / "etc/machine-id").touch()
        shutil.copy("/usr/lib/os-release", self.root / "etc/os-release")
        # So that the journal is in this workspace's log of the node.
        (self.root / "etc/systemd/journald.conf").write_text("[Journal]\nForwardToConsole=yes\n")
        units = REPOSITORY / "systemd"
        for name in (SERVICE, SOCKET):
            shutil.copy(units / name, self.root / "etc/systemd/system")
        for kind in ("sysusers", "tmpfiles"):
            (self.root / f"etc/{kind}.d").mkdir()
            target = self.root / f"etc/{kind}.d/bao-kms-provider.conf"
            shutil.copy(units / f"bao-kms-provider.{kind}.conf", target)
            if self.separate:
                name = f"separate-users.{kind}.conf"
                shutil.copy(units / name, self.root / f"etc/{kind}.d/bao-kms-provider-{name}")
        if self.separate:
            drop_ins = self.root / f"etc/systemd/system/{SERVICE}.d"
            drop_ins.mkdir()
            shutil.copy(units / "separate-users.conf", drop_ins)

    # Life.

    def boot(self) -> "Node":
        """Starts it, and puts the files of an administrator in place; the units are not enabled."""
        self.daemon.start()
        wait_for(self._is_up, "systemd", ignoring=(OSError, RigError))
        self.configure({})
        self.write(CA, self.tenant.openbao.ca_file.read_text(), mode=0o644)
        group = "openbao-kms-auth" if self.separate else "openbao-kms"
        self.write(JWT, self.tenant.issue_jwt(), group)
        program = "bao-kms-provider"
        self.tenant.write_policy(self.run(program, "policy", "openbao", "--config", CONFIG))
        return self

    def _is_up(self) -> bool:
        self.daemon.require_alive()
        return self.run("systemctl", "is-system-running") in ("running", "degraded")

    @property
    def leader(self) -> int:
        """Its process 1, as this machine counts."""
        found = processes.tree(self.daemon.pid)
        if len(found) < 2:
            raise RigError("the node has no process yet")
        return found[1].pid

    def inside(self, *command: str) -> list:
        """The command that has root run this one there."""
        return ["/usr/bin/nsenter", "--target", str(self.leader), "--all", "--", *command]

    def run(self, *command: str) -> str:
        """What a command prints that root runs there; RigError when it fails."""
        done = subprocess.run(
            self.inside(*command), stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        if done.returncode != 0 and command[:2] != ("systemctl", "is-system-running"):
            raise RigError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def reads(self, user: str, path: str) -> bool:
        """Whether a process of this user, with the groups it has, can read the file there."""
        become = ["--reuid", user, "--regid", user, "--init-groups", "--inh-caps=-all"]
        try:
            self.run("setpriv", *become, "cat", path)
        except RigError:
            return False
        return True

    def write(self, path: str, text: str, group: str = "root", mode: int = 0o640) -> None:
        """Replaces a file there, of root and the group."""
        target = self.root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch(mode=0o600)
        target.write_text(text)
        target.chmod(mode)
        self.run("chgrp", group, path)

    def configure(self, changes: dict) -> None:
        """Writes the configuration file, with changes laid over what it is now."""
        self.config = merged(self.config, changes)
        self.write(CONFIG, yaml.safe_dump(self.config, sort_keys=False), "openbao-kms")

    def drop_in(self, text: str) -> None:
        """Adds lines to the service's unit."""
        self.write(f"/etc/systemd/system/{SERVICE}.d/test.conf", text, mode=0o644)
        self.run("systemctl", "daemon-reload")

    # The service.

    def enable(self) -> "Node":
        """systemctl enable --now, which returns when the service has said READY=1."""
        self.run("systemctl", "enable", "--now", SOCKET, SERVICE)
        return self

    def show(self, name: str) -> str:
        """A property of the service, for example ActiveState."""
        return self.run("systemctl", "show", "--value", f"--property={name}", SERVICE)

    def journal(self) -> str:
        """What the service and systemd said about it."""
        return self.run("journalctl", "--no-pager", "--output=cat", f"--unit={SERVICE}")

    def client(self) -> KmsClient:
        """A client of its socket, as root."""
        return KmsClient(Path(f"/proc/{self.leader}/root{SOCKET_PATH}"))

    def wait_healthy(self) -> "Node":
        """Waits until Status says ok."""
        wait_for(self._is_healthy, "Status ok", ignoring=(OSError, KmsError, RigError))
        return self

    def _is_healthy(self) -> bool:
        if self.show("ActiveState") == "failed":  # systemd does not start it again by itself
            raise ConditionImpossible(f"{SERVICE} has failed:\n{self.journal()}")
        with self.client() as client:
            return client.status().ok

    def processes(self) -> list:
        """The service's processes as this machine sees them, the supervisor first."""
        return processes.running(processes.tree(self.leader), PROGRAMS)
