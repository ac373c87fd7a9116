"""The provider under test: its folders, configuration, life and listeners."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess

from . import sanitizers
from .config import merged, provider_config, write_config, write_jwt
from .kms import KmsClient, KmsError
from .processes import is_running, running, tree
from .tenant import Tenant
from .tools import provider_binary
from .users import AGENT_IDS, ONLY_USER_CAPABILITIES, SUPERVISOR_IDS, separate_users
from .waits import free_port, wait_for

AGENT, SPAWNER, WORKER = "bao-kms-authagent", "bao-kms-spawner", "bao-kms-worker"
ETCD_SCAN = "bao-kms-etcd-scan"
PROGRAMS = ("bao-kms-provider", SPAWNER, WORKER, AGENT)  # those of a running provider
INSTALLED = (*PROGRAMS, ETCD_SCAN)
# No request of a test may bring a child to a system call that its filter refuses: it would do so
# again after its restart. The same for a fault that a sanitizer finds.
FATAL = rf'.*"cause":"syscall_.*|{sanitizers.REPORT}'
SAMPLE = re.compile(r'^([a-z_]+)(\{([a-z_]+="[^"\\\n]*",?)+\})? (\S+)$')


class Provider:
    """One `bao-kms-provider serve` in a temporary root.

    changes is laid over the default configuration (rig/config.py), for example
    {"openbao": {"address": proxy.address}}. The tenant's policy is the program's own `policy
    openbao`.

    With separate, each role has a user of its own: it is started as uid 0 with CAP_SETUID and
    CAP_SETGID alone, as a container is.
    """

    def __init__(
        self, workspace, tenant: Tenant, changes=None, name: str = "provider", separate=False
    ):
        self.workspace = workspace
        self.tenant = tenant
        self.folder = workspace.folder(f"{name}-{tenant.name}")
        (self.folder / "state").mkdir(mode=0o700)
        self.socket_path = workspace.socket_folder() / "kms.sock"
        self.metrics_port, self.health_port = free_port(), free_port()
        self.config_path = self.folder / "config.yaml"
        self.jwt_path = self.folder / "identity.jwt"
        self.config = merged(
            provider_config(
                tenant, self.folder, self.socket_path, (self.metrics_port, self.health_port)
            ),
            changes or {},
        )
        self.separate = separate
        if separate:
            self.config = merged(self.config, separate_users(self.config))
            workspace.root.chmod(0o711)
            self.folder.chmod(0o711)
            self.socket_path.parent.chmod(0o751)
            for path in (self.folder / "state", self.socket_path.parent):
                os.chown(path, *SUPERVISOR_IDS)
        self._replaced = []  # source, target and mode of each bind mount
        self.write_config()
        self.write_jwt()
        self.daemon = workspace.daemon(
            f"{name}-{tenant.name}",
            [provider_binary(), "serve", "--config", self.config_path],
            env={},
            fatal=FATAL,
        )
        if separate:
            self.daemon.start_through(ONLY_USER_CAPABILITIES)

    # Files.

    def write_config(self, changes=None) -> None:
        """Writes the configuration file, with changes laid over what it is now."""
        self.config = merged(self.config, changes or {})
        write_config(self.config, self.config_path)

    def write_jwt(self, **claims) -> None:
        """Replaces the JWT file by a fresh JWT; claims as in Tenant.issue_jwt."""
        owner = AGENT_IDS if self.separate else None
        write_jwt(self.tenant.issue_jwt(**claims), self.jwt_path, owner)

    def load_credential(self, name: str, text: str) -> str:
        """Hands over a credential as systemd's LoadCredential= does; returns its path for the
        configuration.
        """
        folder = self.folder / "credentials"
        folder.mkdir(mode=0o500)
        (folder / name).touch(mode=0o400)
        (folder / name).write_text(text)
        for path in (folder, folder / name) if self.separate else ():
            os.chown(path, *SUPERVISOR_IDS)
        self.daemon.env = {**self.daemon.env, "CREDENTIALS_DIRECTORY": str(folder)}
        return f"${{CREDENTIALS_DIRECTORY}}/{name}"

    def replace_system_authorities(self, ca_file) -> None:
        """Has the program see ca_file as the authorities of the system."""
        folder = self.folder / "system-authorities"
        folder.mkdir(mode=0o755)
        shutil.copy(ca_file, folder / "ca-certificates.crt")
        self._replace(folder, "/etc/ssl/certs")

    def replace_system_file(self, path: str, text: str) -> None:
        """Has the program see text as the content of the file path, for example /etc/hosts. To be
        called before it starts; called again for the same file, it changes what the program sees.
        """
        file = self.folder / f"system-{os.path.basename(path)}"
        known = file.exists()
        file.write_text(text)
        if not known:
            self._replace(file, path)

    def write_protect(self, *paths) -> None:
        """Has the program see these files as parts of file systems that are mounted read-only."""
        for path in paths:
            self._replace(path, path, "ro")

    def _replace(self, source, target: str, mode: str = "rw") -> None:
        """Has the program, in a mount namespace of its own, see source in place of target."""
        self._replaced += [str(source), str(target), mode]
        script = (
            'while [ "$1" != -- ]; do mount --bind "$1" "$2" && mount -o "remount,bind,$3" "$2" || exit 1;'
            ' shift 3; done; shift; exec "$@"'
        )
        through = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", script, "sh", *self._replaced]
        self.daemon.start_through([*through, "--"])

    def refuse_secret_memory(self) -> None:
        """Has the program keep secrets in pages that are only locked. To be called before it starts."""
        limit = 1020 * 1024  # less than a reservation takes
        self.daemon.start_through(["/usr/bin/prlimit", f"--memlock={limit}"])

    def install_policy(self) -> None:
        """Installs the policy that the program itself prints for this configuration."""
        self.tenant.write_policy(self.run("policy", "openbao").stdout)

    def run(
        self, *arguments, check=True, environment=None, through=()
    ) -> subprocess.CompletedProcess:
        """Runs another command of the program with this configuration, as the last words of the
        command through; text output is captured.
        """
        command = [*through, provider_binary(), "--config", str(self.config_path), *arguments]
        result = subprocess.run(command, capture_output=True, text=True, env=environment or {})
        sanitizers.require_none(result.stderr)
        if check:
            result.check_returncode()
        return result

    # Life cycle.

    def start(self) -> "Provider":
        """Starts the program and waits until the socket answers; it need not be healthy yet."""
        self.daemon.start()
        wait_for(
            self._answers, "the provider to answer on its socket", ignoring=(OSError, KmsError)
        )
        return self

    def _answers(self) -> bool:
        self.daemon.require_alive()
        with self.client() as client:
            return client.status().version == "v2"

    def start_healthy(self) -> "Provider":
        """start() and wait_healthy()."""
        self.start()
        return self.wait_healthy()

    def wait_healthy(self) -> "Provider":
        """Waits until Status says ok."""
        wait_for(lambda: self.status().ok, "Status ok", ignoring=(OSError, KmsError))
        return self

    def wait_unhealthy(self) -> "Provider":
        """Waits until Status says something else than ok."""
        wait_for(lambda: not self.status().ok, "Status to become unhealthy")
        return self

    def stop(self) -> int:
        """SIGTERM; returns the exit status."""
        return self.daemon.stop()

    def kill(self) -> None:
        """kill -9 of the supervisor; waits until its whole process tree is gone."""
        members = [process.pid for process in self.processes()]
        self.daemon.kill()
        wait_for(
            lambda: not any(is_running(pid) for pid in members), "the provider's children to end"
        )

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the supervisor."""
        os.kill(self.daemon.pid, number)

    # Looking at it.

    def client(self, authority=None) -> KmsClient:
        """A new connection to the socket; close it, or use it in a with statement."""
        return KmsClient(self.socket_path, authority)

    def status(self):
        """One Status over a connection of its own."""
        with self.client() as client:
            return client.status()

    def processes(self):
        """The provider's process tree from /proc, supervisor first (rig/processes.py)."""
        return tree(self.daemon.pid)

    def pids(self, name: str) -> set:
        """Its processes that run this program (AGENT, WORKER)."""
        return {process.pid for process in running(self.processes(), [name])}

    def get(self, path: str):
        """GET from the health listener (/live, /ready) or the metrics listener (/metrics): (status,
        text).
        """
        port = self.metrics_port if path.startswith("/metrics") else self.health_port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def metrics(self) -> dict:
        """/metrics as {"name{labels}": value}; every line has to be one of the format's."""
        status, text = self.get("/metrics")
        assert status == 200, text
        found = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                assert SAMPLE.match(line), line
                name, _, value = line.rpartition(" ")
                found[name] = float(value)
        return found

    def ready(self):
        """/ready: (HTTP status, decoded JSON)."""
        status, text = self.get("/ready")
        return status, json.loads(text)

    def credential_word(self) -> str:
        """What /ready says of the credential; "" before it is known."""
        return self.ready()[1]["auth"].get("credential", "")

    def log_events(self) -> list:
        """The JSON log lines that are written to their end, decoded."""
        lines = self.daemon.log_text().rpartition("\n")[0].splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]
