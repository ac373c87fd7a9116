"""A real OpenBao server with TLS, an audit log and storage that survives kill -9."""

import datetime
import http.client
import json
import ssl
from pathlib import Path

from .pki import Authority
from .tools import RigError, fetched
from .waits import free_port, wait_for

SERVER_NAME = "openbao.test"
REQUEST_SECONDS = 30.0
SEALED_STATES = (501, 503)

CONFIG = """\
ui = false
log_level = "warn"
api_addr = "https://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{cluster_port}"
storage "raft" {{
  path                   = "{data}"
  node_id                = "{name}"
  performance_multiplier = 1
}}
listener "tcp" {{
  address         = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster_port}"
  tls_cert_file   = "{cert}"
  tls_key_file    = "{key}"
  tls_max_version = "{tls}"
}}
audit "file" "audit" {{
  options = {{ file_path = "{audit}", log_raw = "{raw}" }}
}}
"""


class BaoError(RigError):
    """OpenBao answered with an error status."""

    def __init__(self, status: int, errors):
        super().__init__(f"OpenBao answered {status}: {errors}")
        self.status = status
        self.errors = errors


CLIENT_CERTIFICATES = """  tls_require_and_verify_client_cert = true
  tls_client_ca_file = "{authorities}"
}}
audit"""


class OpenBao:
    """One server. start() leaves it initialised and unsealed; kill() and start() keep the data.

    raw_audit: the audit log has secrets in clear text.
    """

    def __init__(
        self,
        workspace,
        name: str = "openbao",
        authority=None,
        audit_log=None,
        raw_audit=False,
        tls: str = "tls13",
    ):
        self.name = name
        self.folder = workspace.folder(name)
        self.authority = authority or Authority(self.folder / "ca")
        self.ca_file = self.authority.cert
        self.server_name = SERVER_NAME
        self.port = free_port()
        self.tls = tls  # the highest version
        self.audit_log = audit_log or self.folder / "audit.log"
        self.root_token = ""
        self.unseal_key = ""
        self._config = self.folder / "config.hcl"
        self._client = None  # the certificate with which the rig connects
        self._certificate = self.authority.issue(name, [SERVER_NAME, "localhost", "127.0.0.1"])
        self._write_config("true" if raw_audit else "false")
        command = [fetched("openbao"), "server", f"-config={self._config}"]
        self.daemon = workspace.daemon(name, command, env={})

    @property
    def address(self) -> str:
        """https URL for openbao.address."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def certificate(self):
        """The server's certificate and key, which a TLS proxy in front of it may use too."""
        return self._certificate

    def _write_config(self, raw: str) -> None:
        data = self.folder / "data"
        data.mkdir(mode=0o700)
        self._config.write_text(
            CONFIG.format(
                name=self.name,
                port=self.port,
                cluster_port=free_port(),
                data=data,
                cert=self._certificate.cert,
                key=self._certificate.key,
                audit=self.audit_log,
                raw=raw,
                tls=self.tls,
            )
        )

    def require_client_certificates(self, *authorities: str) -> None:
        """Has the listener accept only clients with a certificate of one of these authorities (PEM),
        or with the rig's own, from the next start on.
        """
        self._client = self.authority.issue("rig", ["rig"], client=True)
        known = self.folder / "client-authorities.crt"
        known.write_text("".join([self.ca_file.read_text(), *authorities]))
        text = self._config.read_text()
        self._config.write_text(
            text.replace("}\naudit", CLIENT_CERTIFICATES.format(authorities=known))
        )

    def use_certificate(self, pair) -> None:
        """Serves another certificate from the next start on."""
        for source, target in (
            (pair.cert, self._certificate.cert),
            (pair.key, self._certificate.key),
        ):
            Path(target).write_bytes(Path(source).read_bytes())

    # Life cycle.

    def start(self) -> "OpenBao":
        """Starts the server, initialises it the first time, unseals it and waits until it is
        active.
        """
        self.start_sealed()
        if not self.root_token:
            self._initialise()
        self.unseal()
        return self

    def start_sealed(self) -> None:
        """Starts the process and waits until it answers, sealed or not."""
        self.daemon.start()
        wait_for(self._answers, f"{self.name} to answer on {self.address}")

    def _answers(self) -> bool:
        self.daemon.require_alive()
        return self.health_status() in (200, 429, 473, *SEALED_STATES)

    def _initialise(self) -> None:
        answer = self.request(
            "PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1}, token=""
        )
        self.root_token, self.unseal_key = answer["root_token"], answer["keys_base64"][0]

    def unseal(self) -> None:
        """Unseals and waits until the server is active."""
        self.request("PUT", "sys/unseal", {"key": self.unseal_key}, token="")
        wait_for(lambda: self.health_status() == 200, f"{self.name} to be active")

    def seal(self) -> None:
        """Seals the server; the process goes on."""
        self.request("PUT", "sys/seal")
        wait_for(lambda: self.health_status() == 503, f"{self.name} to be sealed")

    def stop(self) -> None:
        """Ends the server in good order."""
        self.daemon.stop()

    def kill(self) -> None:
        """kill -9."""
        self.daemon.kill()

    def restart(self) -> None:
        """stop() and start()."""
        self.stop()
        self.start()

    # Requests.

    def snapshot(self) -> bytes:
        """The whole storage as of now."""
        return self._exchange("GET", "sys/storage/raft/snapshot", None, self.root_token)[1]

    def restore(self, snapshot: bytes) -> None:
        """Replaces the whole storage by a snapshot of this server."""
        status, raw = self._exchange(
            "POST", "sys/storage/raft/snapshot-force", snapshot, self.root_token
        )
        if status >= 400:
            raise BaoError(status, raw)
        wait_for(lambda: self.health_status() == 200, f"{self.name} to be active")

    def _exchange(self, method: str, path: str, body, token: str):
        context = ssl.create_default_context(cafile=str(self.ca_file))
        if self._client:
            context.load_cert_chain(self._client.cert, self._client.key)
        connection = http.client.HTTPSConnection(
            "localhost", self.port, timeout=REQUEST_SECONDS, context=context
        )
        try:
            headers = {"X-Vault-Token": token} if token else {}
            payload = body if body is None or isinstance(body, bytes) else json.dumps(body)
            connection.request(method, f"/v1/{path}", payload, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def health_status(self) -> int:
        """The HTTP status of sys/health: 200 active, 503 sealed, 501 not initialised; 0 = no
        answer.
        """
        try:
            return self._exchange("GET", "sys/health", None, "")[0]
        except (OSError, http.client.HTTPException):
            return 0

    def request(self, method: str, path: str, body=None, token=None) -> dict:
        """One API call below /v1/ with the root token (or token); BaoError on status 400 and above.
        """
        status, raw = self._exchange(
            method, path, body, self.root_token if token is None else token
        )
        answer = json.loads(raw) if raw else {}
        if status >= 400:
            raise BaoError(status, answer.get("errors"))
        return answer

    # The audit log.

    def _audited(self, path_part: str) -> list:
        if not self.audit_log.exists():
            return []
        with self.audit_log.open() as log:
            # A look at the text first: after a load test most of a long log is something else.
            found = [line for line in log if path_part in line]
        # The last line may still be in the making.
        entries = [json.loads(line) for line in found if line.endswith("\n")]
        return [
            entry
            for entry in entries
            if entry["type"] == "request" and path_part in entry["request"]["path"]
        ]

    def audit_requests(self, path_part: str = "") -> list:
        """The audited requests (type "request") whose path contains path_part, oldest first."""
        return [entry["request"] for entry in self._audited(path_part)]

    def audit_times(self, path_part: str = "") -> list:
        """When the server wrote them down, in seconds since 1970."""
        return [
            datetime.datetime.fromisoformat(entry["time"]).timestamp()
            for entry in self._audited(path_part)
        ]
