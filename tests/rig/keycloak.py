"""A real Keycloak: the OAuth 2.0 server whose tokens the provider logs in with."""

import http.client
import json
import secrets
import shutil
import ssl
import urllib.parse
from pathlib import Path

from .openbao import OpenBao
from .pki import Authority
from .tenant import AUDIENCE, Tenant
from .tools import RigError, fetched
from .waits import free_port, wait_for

REALM = "control-plane"
CLIENT = "bao-kms-provider"
OTHER_NAME = "keycloak.test"  # in the certificate, resolvable nowhere: for tests with a proxy
START_SECONDS = 240.0  # a Java server on a busy machine
REQUEST_SECONDS = 60.0
HEAP = "-Xms64m -Xmx384m"


class Keycloak:
    """One server with a realm and a confidential client; its data survives stop() and start()."""

    def __init__(self, workspace, name: str = "keycloak"):
        folder = workspace.folder(name)
        home = folder / "home"  # a copy: the server writes below its own folder
        shutil.copytree(fetched("keycloak"), home, symlinks=True)
        authority = Authority(folder / "ca")
        pair = authority.issue("server", ["localhost", "127.0.0.1", OTHER_NAME])
        self.ca_file = authority.cert
        self.port = free_port()
        self.secret_file = folder / "client-secret"
        self._client_uuid = ""
        self.subject = ""
        self.daemon = workspace.daemon(
            name,
            [
                # Its start would take the machine from those whose requests are being counted.
                "/usr/bin/nice",
                "-n",
                "10",
                home / "bin" / "kc.sh",
                "start",
                "--optimized",
                "--cache=local",
                "--http-host=127.0.0.1",
                f"--https-port={self.port}",
                f"--https-certificate-file={pair.cert}",
                f"--https-certificate-key-file={pair.key}",
                f"--hostname=https://localhost:{self.port}",
            ],
            env={
                "PATH": "/usr/bin:/bin",
                "JAVA_OPTS_KC_HEAP": HEAP,
            },
        )

    @property
    def issuer(self) -> str:
        """The `iss` of its tokens; also where OIDC discovery begins."""
        return f"https://localhost:{self.port}/realms/{REALM}"

    @property
    def token_url(self) -> str:
        """The token endpoint."""
        return f"{self.issuer}/protocol/openid-connect/token"

    # Life cycle.

    def start(self) -> "Keycloak":
        """Starts the server and waits until it answers; the first time it makes realm and client.
        """
        self.daemon.start()
        wait_for(self._answers, "Keycloak to answer", START_SECONDS)
        if not self._client_uuid:
            self._make_realm()
        return self

    def _answers(self) -> bool:
        self.daemon.require_alive()
        return self._exchange("GET", "/realms/master", None, {})[0] == 200

    def kill(self) -> None:
        """kill -9 of the server and whatever its script started."""
        self.daemon.kill()

    # Requests.

    def _exchange(self, method: str, path: str, body, headers):
        context = ssl.create_default_context(cafile=str(self.ca_file))
        connection = http.client.HTTPSConnection(
            "localhost", self.port, timeout=REQUEST_SECONDS, context=context
        )
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _admin_token(self) -> str:
        form = {
            "grant_type": "password",
            "client_id": "admin-cli",
            "username": "admin",
            "password": "admin",  # as tests/lab/fetch made it
        }
        status, raw = self._exchange(
            "POST",
            "/realms/master/protocol/openid-connect/token",
            urllib.parse.urlencode(form),
            {"Content-Type": "application/x-www-form-urlencoded"},
        )
        if status != 200:
            raise RigError(f"Keycloak refused the administrator: {status} {raw[:200]!r}")
        return json.loads(raw)["access_token"]

    def _admin(self, method: str, path: str, body=None):
        headers = {
            "Authorization": f"Bearer {self._admin_token()}",
            "Content-Type": "application/json",
        }
        payload = None if body is None else json.dumps(body)
        status, raw = self._exchange(method, f"/admin/realms{path}", payload, headers)
        if status >= 300:
            raise RigError(f"Keycloak answered {status} to {method} {path}: {raw[:200]!r}")
        return json.loads(raw) if raw else None

    # The realm.

    def _make_realm(self) -> None:
        self._admin("POST", "", {"realm": REALM, "enabled": True, "accessTokenLifespan": 120})
        audience = {
            "name": "audience",
            "protocol": "openid-connect",
            "protocolMapper": "oidc-audience-mapper",
            "config": {"included.custom.audience": AUDIENCE, "access.token.claim": "true"},
        }
        client = {
            "clientId": CLIENT,
            "enabled": True,
            "publicClient": False,
            "serviceAccountsEnabled": True,
            "standardFlowEnabled": False,
            "directAccessGrantsEnabled": False,
            "protocolMappers": [audience],
        }
        self._admin("POST", f"/{REALM}/clients", client)
        found = self._admin("GET", f"/{REALM}/clients?clientId={CLIENT}")
        self._client_uuid = found[0]["id"]
        account = self._admin("GET", f"/{REALM}/clients/{self._client_uuid}/service-account-user")
        self.subject = account["id"]
        self.write_secret(self.rotate_secret())

    def rotate_secret(self) -> str:
        """Makes Keycloak accept a new client secret only; returns it."""
        path = f"/{REALM}/clients/{self._client_uuid}/client-secret"
        return self._admin("POST", path)["value"]

    def write_secret(self, text: str, path=None) -> Path:
        """Replaces the client secret file in one step."""
        path = path or self.secret_file
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(text + "\n")
        fresh.rename(path)
        return path

    def roll_key(self) -> None:
        """Signs with a new key from now on and forgets the old ones."""
        components = self._admin("GET", f"/{REALM}/components?type=org.keycloak.keys.KeyProvider")
        old = [c for c in components if c["providerId"] == "rsa-generated"]
        realm = self._admin("GET", f"/{REALM}")
        self._admin(
            "POST",
            f"/{REALM}/components",
            {
                "name": f"rsa-{secrets.token_hex(4)}",
                "providerId": "rsa-generated",
                "providerType": "org.keycloak.keys.KeyProvider",
                "parentId": realm["id"],
                "config": {
                    "priority": ["200"],
                    "enabled": ["true"],
                    "active": ["true"],
                    "algorithm": ["RS256"],
                    "keySize": ["2048"],
                },
            },
        )
        for component in old:
            self._admin("DELETE", f"/{REALM}/components/{component['id']}")


def keycloak_tenant(openbao: OpenBao, keycloak: Keycloak, **role) -> Tenant:
    """A tenant whose JWT role trusts the server through OIDC discovery; role as in write_role."""
    tenant = Tenant(openbao)
    tenant.subject = keycloak.subject
    openbao.request(
        "POST",
        f"{tenant.auth_mount}/config",
        {
            "oidc_discovery_url": keycloak.issuer,
            "oidc_discovery_ca_pem": keycloak.ca_file.read_text(),
            "bound_issuer": keycloak.issuer,
        },
    )
    tenant.write_role(**role)
    return tenant


def oauth2_changes(keycloak: Keycloak, **oauth2) -> dict:
    """Changes to the default configuration (rig/config.py) that log in through the server; oauth2
    overrides keys of auth.jwt.oauth2, None leaves one out.
    """
    settings = {
        "tokenUrl": keycloak.token_url,
        "clientId": CLIENT,
        "clientSecretFile": str(keycloak.secret_file),
        "authMethod": "client_secret_basic",
        "caCertFile": str(keycloak.ca_file),
        **oauth2,
    }
    return {
        "auth": {
            "jwt": {
                "source": "oauth2",
                "jwtFile": None,
                "minRemainingTtl": "5s",
                "expectedIssuer": keycloak.issuer,
                "expectedAudience": [AUDIENCE],
                "expectedSubject": keycloak.subject,
                "oauth2": {key: value for key, value in settings.items() if value is not None},
            }
        }
    }
