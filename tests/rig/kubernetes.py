"""A real etcd and a real kube-apiserver, with the API calls the tests need."""

import base64
import http.client
import json
import os
import ssl

import yaml

from .pki import Authority, new_key, write_private_key
from .tools import REPOSITORY, RigError, fetched
from .waits import free_port, wait_for

DEFAULT_VERSION = os.environ.get("KUBERNETES_VERSION", "1.34.3")
TOKEN = "lab-admin-token"  # of an API server that listens on 127.0.0.1 for the length of a test
REQUEST_SECONDS = 60.0


class Etcd:
    """One etcd server on 127.0.0.1; with tls it wants a client certificate, as in a real cluster."""

    def __init__(self, workspace, name: str = "etcd", tls: bool = False):
        folder = workspace.folder(name)
        self.port = free_port()
        self.ca_file = self.client = None
        if tls:
            authority = Authority(folder / "ca")
            server = authority.issue("server", ["127.0.0.1"], client=True)  # its gateway's own
            self.ca_file, self.client = authority.cert, authority.issue("client", [], client=True)
        scheme = "https" if tls else "http"
        client, peer = f"{scheme}://127.0.0.1:{self.port}", f"http://127.0.0.1:{free_port()}"
        self.address = client
        secured = [
            f"--cert-file={server.cert}",
            f"--key-file={server.key}",
            f"--trusted-ca-file={self.ca_file}",
            "--client-cert-auth",
        ] if tls else []
        self.daemon = workspace.daemon(
            name,
            [
                fetched("etcd"),
                f"--data-dir={folder / 'data'}",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
                "--unsafe-no-fsync",
                "--log-level=warn",
                *secured,
            ],
            env={},
        )

    def start(self) -> "Etcd":
        """Starts it and waits until it answers."""
        self.daemon.start()
        wait_for(self._healthy, "etcd to be healthy")
        return self

    def _healthy(self) -> bool:
        self.daemon.require_alive()
        return self._exchange("GET", "/health", None)["health"] == "true"

    def _connection(self):
        if self.client is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=REQUEST_SECONDS)
        context = ssl.create_default_context(cafile=str(self.ca_file))
        context.load_cert_chain(self.client.cert, self.client.key)
        return http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=REQUEST_SECONDS, context=context
        )

    def client_flags(self, *names: str) -> list:
        """CA file, certificate and key under the given flag names; nothing without tls."""
        if self.client is None:
            return []
        files = (self.ca_file, self.client.cert, self.client.key)
        return [f"{name}={file}" for name, file in zip(names, files)]

    def scan_flags(self) -> list:
        """What verify-rotation needs to read this etcd."""
        return ["--scan-etcd", self.address, *self.client_flags("--cacert", "--cert", "--key")]

    def _exchange(self, method: str, path: str, body):
        connection = self._connection()
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def get(self, key: str) -> bytes:
        """The stored bytes of a key; RigError when there is no such key."""
        body = {"key": base64.b64encode(key.encode()).decode()}
        found = self._exchange("POST", "/v3/kv/range", body).get("kvs")
        if not found:
            raise RigError(f"etcd has no key {key}")
        return base64.b64decode(found[0]["value"])

    def dump(self) -> bytes:
        """Every stored value, one after the other."""
        everything = {"key": base64.b64encode(b"\0").decode()}
        answer = self._exchange(
            "POST", "/v3/kv/range", {**everything, "range_end": everything["key"]}
        )
        return b"".join(base64.b64decode(pair["value"]) for pair in answer.get("kvs", []))


def encryption_config(provider_name: str, socket_path, step: str = "2-writes") -> dict:
    """The manifest of a step for this provider: "1-reads" or "2-writes"."""
    manifest = REPOSITORY / "manifests" / f"encryption-config.{step}.yaml"
    config = yaml.safe_load(manifest.read_text())
    for entry in config["resources"][0]["providers"]:
        if "kms" in entry:
            entry["kms"].update(name=provider_name, endpoint=f"unix://{socket_path}")
    return config


class ApiError(RigError):
    """The API server answered with an error status."""

    def __init__(self, status: int, text: str):
        super().__init__(f"kube-apiserver answered {status}: {text[:500]}")
        self.status = status


class ApiServer:
    """One kube-apiserver; encryption is what encryption_config() returns, or None for plain
    storage.
    """

    def __init__(self, workspace, etcd: Etcd, encryption=None, version="", name="kube-apiserver"):
        self.version = version or DEFAULT_VERSION
        self.encryption = encryption
        self.folder = workspace.folder(name)
        self.port = free_port()
        self._authority = Authority(self.folder / "ca")
        pair = self._authority.issue("apiserver", ["localhost", "127.0.0.1"])
        accounts = self.folder / "service-account.key"
        write_private_key(new_key(), accounts)
        tokens = self.folder / "tokens.csv"
        tokens.touch(mode=0o600)
        tokens.write_text(f"{TOKEN},admin,admin,system:masters\n")
        arguments = [
            fetched(f"kube-apiserver={self.version}"),
            f"--etcd-servers={etcd.address}",
            *etcd.client_flags("--etcd-cafile", "--etcd-certfile", "--etcd-keyfile"),
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={self.port}",
            f"--tls-cert-file={pair.cert}",
            f"--tls-private-key-file={pair.key}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--service-account-issuer=https://kubernetes.test",
            f"--service-account-key-file={accounts}",
            f"--service-account-signing-key-file={accounts}",
            "--disable-admission-plugins=ServiceAccount",
        ]
        if encryption is not None:
            path = self.folder / "encryption-config.yaml"
            path.touch(mode=0o600)
            path.write_text(yaml.safe_dump(encryption, sort_keys=False))
            arguments.append(f"--encryption-provider-config={path}")
        self.daemon = workspace.daemon(name, arguments, env={})

    # Life cycle.

    def start(self) -> "ApiServer":
        """Starts it and waits until /readyz says ok."""
        self.daemon.start()
        wait_for(self._ready, f"{self.daemon.name} {self.version} to be ready", deadline=180)
        return self

    def _ready(self) -> bool:
        self.daemon.require_alive()
        return self.get_status("/readyz") == 200

    def restart(self) -> "ApiServer":
        """Ends it in good order and starts it again."""
        self.daemon.stop()
        return self.start()

    # Requests.

    def _exchange(self, method: str, path: str, body):
        context = ssl.create_default_context(cafile=str(self._authority.cert))
        connection = http.client.HTTPSConnection(
            "localhost", self.port, timeout=REQUEST_SECONDS, context=context
        )
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def get_status(self, path: str) -> int:
        """The HTTP status of a GET."""
        return self._exchange("GET", path, None)[0]

    def request(self, method: str, path: str, body=None) -> dict:
        """One API call; ApiError on status 400 and above."""
        status, text = self._exchange(method, path, body)
        if status >= 400:
            raise ApiError(status, text)
        return json.loads(text)

    def version_info(self) -> str:
        """The version that the running program reports, such as v1.34.3."""
        return self.request("GET", "/version")["gitVersion"]

    def metrics(self) -> str:
        """The text of /metrics."""
        status, text = self._exchange("GET", "/metrics", None)
        if status != 200:
            raise ApiError(status, text)
        return text

    def create_secret(self, name: str, data: dict) -> None:
        """Stores a Secret in the namespace default; data maps names to bytes."""
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": encoded}
        self.request("POST", "/api/v1/namespaces/default/secrets", body)

    def read_secret(self, name: str) -> dict:
        """The data of a Secret, names to bytes."""
        answer = self.request("GET", f"/api/v1/namespaces/default/secrets/{name}")
        return {key: base64.b64decode(value) for key, value in answer["data"].items()}

    def rewrite_secrets(self) -> None:
        """Stores every Secret again as it is, which encrypts it with the key of now."""
        for item in self.request("GET", "/api/v1/secrets")["items"]:
            meta = item["metadata"]
            path = f"/api/v1/namespaces/{meta['namespace']}/secrets/{meta['name']}"
            self.request("PUT", path, self.request("GET", path))

    def list_secrets(self) -> list:
        """The names of all Secrets in the namespace default."""
        answer = self.request("GET", "/api/v1/namespaces/default/secrets")
        return [item["metadata"]["name"] for item in answer["items"]]


def secret_key(name: str) -> str:
    """The etcd key of a Secret in the namespace default."""
    return f"/registry/secrets/default/{name}"
