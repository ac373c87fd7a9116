"""One Transit key with its own mount, policy and JWT role: tests that share a server share nothing
else.
"""

import secrets
import time

import jwt

from .openbao import OpenBao
from .pki import new_key, public_pem

KEY_TYPE = "aes256-gcm96"
ISSUER = "https://issuer.test"
AUDIENCE = "bao-kms-provider"


class Tenant:
    """Set up inside an OpenBao that is running; names are unique per tenant."""

    def __init__(self, openbao: OpenBao, name: str = "", token_ttl: str = "30m"):
        self.openbao = openbao
        self.name = name or f"t{secrets.token_hex(4)}"  # a letter first: "1e5" is a number in YAML
        self.transit_mount = f"transit-{self.name}"
        self.key_name = f"k8s-{self.name}-etcd"
        self.auth_mount = f"auth/jwt-{self.name}"
        self.role = "kms-control-plane"
        self.policy_name = f"openbao-kms-{self.name}"
        self.subject = f"system:openbao-kms:{self.name}"
        self.token_ttl = token_ttl
        self._signing_key = new_key()
        self._enable_transit()
        self.enable_jwt()

    def _enable_transit(self) -> None:
        self.openbao.request("POST", f"sys/mounts/{self.transit_mount}", {"type": "transit"})
        self.openbao.request("POST", f"{self.transit_mount}/config/keys", {"disable_upsert": True})
        self.openbao.request(
            "POST", f"{self.transit_mount}/keys/{self.key_name}", {"type": KEY_TYPE}
        )

    def enable_jwt(self) -> None:
        """Mounts and configures the JWT method; also after the mount was disabled."""
        self.openbao.request("POST", f"sys/{self.auth_mount}", {"type": "jwt"})
        self.openbao.request(
            "POST",
            f"{self.auth_mount}/config",
            {"jwt_validation_pubkeys": [public_pem(self._signing_key)], "bound_issuer": ISSUER},
        )
        self.write_role()

    def write_role(self, **changes) -> None:
        """Writes the JWT role; changes override single fields."""
        role = {
            "role_type": "jwt",
            "bound_audiences": [AUDIENCE],
            "bound_subject": self.subject,
            "user_claim": "sub",
            "token_policies": [self.policy_name],
            "token_ttl": self.token_ttl,
            "token_max_ttl": "1h",
            "token_no_default_policy": True,
        }
        role.update(changes)
        self.openbao.request("POST", f"{self.auth_mount}/role/{self.role}", role)

    def delete_role(self) -> None:
        """Removes the JWT role, so that no new login succeeds."""
        self.openbao.request("DELETE", f"{self.auth_mount}/role/{self.role}")

    def write_policy(self, hcl: str) -> None:
        """Installs the text of `bao-kms-provider policy openbao` (or another) as this tenant's
        policy.
        """
        self.openbao.request("PUT", f"sys/policies/acl/{self.policy_name}", {"policy": hcl})

    def issue_jwt(self, ttl_seconds: int = 3600, **claims) -> str:
        """A JWT that the role accepts; claims override single ones."""
        now = int(time.time())
        payload = {
            "iss": ISSUER,
            "sub": self.subject,
            "aud": [AUDIENCE],
            "iat": now,
            "nbf": now,
            "exp": now + ttl_seconds,
        }
        payload.update(claims)
        return jwt.encode(payload, self._signing_key, algorithm="ES256")

    def login(self) -> str:
        """Logs in as the provider would; returns the token."""
        body = {"role": self.role, "jwt": self.issue_jwt()}
        answer = self.openbao.request("POST", f"{self.auth_mount}/login", body, token="")
        return answer["auth"]["client_token"]

    def rotate(self) -> None:
        """Makes a new version of the Transit key."""
        self.openbao.request("POST", f"{self.transit_mount}/keys/{self.key_name}/rotate")

    def transit_requests(self, operation: str = "") -> int:
        """How many audited requests went to this tenant's Transit mount, or to one operation of it.
        """
        return len(self.openbao.audit_requests(f"{self.transit_mount}/{operation}"))
