"""A real PKCS#11 token (SoftHSM), a client certificate for a key in it, and OpenBao's certificate
login for that.
"""

import datetime
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .openbao import OpenBao
from .pki import DAY, new_key
from .processes import tree
from .tenant import Tenant
from .tools import RigError, provider_binary
from .waits import wait_for

SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
P11_KIT_CLIENT = "/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so"
TOKEN_LABEL = "openbao-kms"
KEY_LABEL = "openbao-kms-client"
PIN = "4711-test-pin"
SO_PIN = "0815-test-so-pin"
KEY_TYPES = {
    "rsa": "rsa:2048",
    "p256": "EC:prime256v1",
    "p384": "EC:secp384r1",
    "ed25519": "EC:edwards25519",
}
CURVES = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}

CONFIG = """\
directories.tokendir = {tokens}
objectstore.backend = file
log.level = ERROR
slots.removable = false
"""


class SoftHsm:
    """One token with one key pair in a folder of its own."""

    def __init__(self, workspace, key: str = "p256", pin: str = PIN, key_options=("--usage-sign",)):
        self.folder = workspace.folder("softhsm")
        self.tokens = self.folder / "tokens"
        self.tokens.mkdir(mode=0o700)
        self.config = self.folder / "softhsm2.conf"
        self.config.write_text(CONFIG.format(tokens=self.tokens))
        self.pin_file = self.folder / "pin"
        self.pin = pin
        self.key = key
        self._key_options = key_options
        self.write_pin(pin)
        self._tool(
            "softhsm2-util", "--init-token", "--free", "--label", TOKEN_LABEL,
            "--so-pin", SO_PIN, "--pin", pin,
        )  # fmt: skip
        self.public_key = self.generate(KEY_LABEL, "01")

    @property
    def environment(self) -> dict:
        """What SoftHSM needs to find its token."""
        return {"SOFTHSM2_CONF": str(self.config)}

    def _tool(self, *command) -> str:
        result = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            env={**os.environ, **self.environment},
        )
        if result.returncode != 0:
            raise RigError(f"{command[0]} failed: {result.stdout}{result.stderr}")
        return result.stdout

    def _pkcs11_tool(self, *arguments) -> str:
        return self._tool(
            "pkcs11-tool", "--module", SOFTHSM, "--token-label", TOKEN_LABEL, *arguments
        )

    def generate(self, label: str, key_id: str):
        """Creates another key pair on the token and returns its public key."""
        printed = self._pkcs11_tool(
            "--login", "--pin", self.pin, "--keypairgen", "--key-type", KEY_TYPES[self.key],
            "--label", label, "--id", key_id, *self._key_options,
        )  # fmt: skip
        if self.key == "rsa":
            file = self.folder / "public.der"
            self._pkcs11_tool(
                "--read-object", "--type", "pubkey", "--label", label, "-o", file
            )
            return serialization.load_der_public_key(file.read_bytes())
        # CKA_EC_POINT is an OCTET STRING around the point; all of these have one length byte.
        point = bytes.fromhex(re.search(r"EC_POINT:\s+(\w+)", printed).group(1))[2:]
        if self.key == "ed25519":
            return ed25519.Ed25519PublicKey.from_public_bytes(point)
        return ec.EllipticCurvePublicKey.from_encoded_point(CURVES[self.key], point)

    def write_pin(self, pin: str) -> None:
        """Replaces the PIN file in one step."""
        fresh = self.pin_file.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_text(pin + "\n")
        fresh.rename(self.pin_file)

    def hide(self) -> None:
        """Takes the token away, as if it had been pulled."""
        self.tokens.rename(self.folder / "hidden")
        self.tokens.mkdir(mode=0o700)

    def restore(self) -> None:
        """Puts the token back."""
        self.tokens.rmdir()
        (self.folder / "hidden").rename(self.tokens)

    def contents(self) -> dict:
        """Every file of the token with its bytes."""
        return {
            str(path.relative_to(self.tokens)): path.read_bytes()
            for path in sorted(self.tokens.rglob("*"))
            if path.is_file()
        }

    def close(self) -> None:
        """Removes the token."""
        shutil.rmtree(self.folder, ignore_errors=True)


class FaultyModule:
    """tests/hsm/faulty_module.cc in front of SoftHSM: hangs, fails and locks on demand."""

    def __init__(self, hsm: SoftHsm):
        self.path = Path(provider_binary()).parents[1] / "tests" / "faulty_pkcs11.so"
        self.folder = hsm.folder / "faults"
        self.folder.mkdir(mode=0o700)
        self.state = hsm.folder / "module-state"
        self.state.mkdir(mode=0o700)
        self._count = self.state / "logins"
        self._count.touch()
        self.environment = {
            **hsm.environment,
            "FAULTY_FOLDER": str(self.folder),
            "FAULTY_COUNT": str(self._count),
            "FAULTY_MODULE": SOFTHSM,
        }

    @property
    def settings(self) -> dict:
        """Keys of auth.cert.pkcs11 that put it in."""
        return {
            "modulePath": str(self.path),
            "environment": sorted(self.environment),
            "stateDirectory": str(self.state),
        }

    def hang(self, function: str) -> None:
        """The function sleeps until heal()."""
        (self.folder / f"hang-{function}").touch()

    def fail(self, function: str, result: int) -> None:
        """The function returns this CK_RV until heal()."""
        (self.folder / f"fail-{function}").write_text(str(result))

    def forbid(self, mechanism: int) -> None:
        """The token does not know this CK_MECHANISM_TYPE until heal()."""
        (self.folder / f"forbid-{mechanism}").touch()

    def hide(self, attribute: int) -> None:
        """No object has this CK_ATTRIBUTE_TYPE until heal()."""
        (self.folder / f"hide-{attribute}").touch()

    def deny(self, attribute: int) -> None:
        """This CK_ATTRIBUTE_TYPE is false for every object until heal()."""
        (self.folder / f"deny-{attribute}").touch()

    def heal(self) -> None:
        """Everything works again."""
        for fault in self.folder.iterdir():
            fault.unlink()

    def logins(self) -> str:
        """One character per C_Login that reached the token: "." or, for a wrong PIN, "x"."""
        return self._count.read_text()


class RemoteModule:
    """`p11-kit server` with SoftHSM in a process of its own, and the client module for it."""

    def __init__(self, workspace, hsm: SoftHsm):
        self.socket = workspace.socket_folder() / "pkcs11.sock"
        self.environment = {"P11_KIT_SERVER_ADDRESS": f"unix:path={self.socket}"}
        self.server = workspace.daemon(
            "p11-kit",
            ["/usr/bin/p11-kit", "server", "--foreground", "--name", self.socket,
             "--provider", SOFTHSM, f"pkcs11:token={TOKEN_LABEL}"],
            env={**os.environ, **hsm.environment},
        )  # fmt: skip

    @property
    def settings(self) -> dict:
        """Keys of auth.cert.pkcs11 that put it in."""
        return {
            "modulePath": P11_KIT_CLIENT,
            "environment": sorted(self.environment),
            "network": "unix",
        }

    def start(self) -> None:
        """Starts the server and waits for its socket."""
        self.socket.unlink(missing_ok=True)
        self.server.start()
        wait_for(self.socket.exists, "the socket of p11-kit server")

    def kill(self) -> None:
        """kill -9 of the server and of its process for each connection."""
        for process in tree(self.server.pid)[1:]:
            os.kill(process.pid, signal.SIGKILL)
        self.server.kill()


class ClientAuthority:
    """Issues client certificates for keys that it never sees."""

    def __init__(self):
        self._key = new_key()
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test client authority")])
        self.pem = self._build(
            self._name,
            self._key.public_key(),
            30 * DAY,
            x509.BasicConstraints(ca=True, path_length=0),
        )

    def _build(self, name, public_key, valid_for, *extensions) -> str:
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + valid_for)
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        certificate = builder.sign(self._key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, common_name: str, public_key, valid_for=7 * DAY, usage=None) -> str:
        """A certificate for client authentication as PEM text."""
        return self._build(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]),
            public_key,
            valid_for,
            x509.ExtendedKeyUsage([usage or ExtendedKeyUsageOID.CLIENT_AUTH]),
        )


class CertTenant(Tenant):
    """A tenant whose provider logs in with a certificate."""

    def __init__(self, openbao: OpenBao, token_ttl: str = "10m"):
        super().__init__(openbao, token_ttl=token_ttl)
        self.authority = ClientAuthority()
        self.cert_mount = f"auth/cert-{self.name}"
        self.openbao.request("POST", f"sys/{self.cert_mount}", {"type": "cert"})
        self.openbao.request(
            "POST",
            f"{self.cert_mount}/certs/{self.role}",
            {
                "certificate": self.authority.pem,
                "allowed_common_names": [self.subject],
                "token_policies": [self.policy_name],
                "token_ttl": token_ttl,
                "token_max_ttl": "30m",
                "token_no_default_policy": True,
            },
        )

    def cert_logins(self) -> int:
        """How many audited logins went to the certificate mount."""
        return len(self.openbao.audit_requests(f"{self.cert_mount}/login"))


def write_certificate(pem: str, path: Path) -> None:
    """Replaces the chain file in one step."""
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(pem)
    fresh.rename(path)


def cert_auth(tenant: CertTenant, hsm: SoftHsm, certificate: Path, **pkcs11) -> dict:
    """Changes for the provider's configuration; pkcs11 overrides keys of its section."""
    return {
        "auth": {
            "method": "cert",
            "loginBeforeTokenExpiry": "3m",
            "jwt": None,
            "cert": {
                "mountPath": tenant.cert_mount,
                "name": tenant.role,
                "source": "pkcs11",
                "pkcs11": {
                    "certificateFile": str(certificate),
                    "modulePath": SOFTHSM,
                    "tokenLabel": TOKEN_LABEL,
                    "keyLabel": KEY_LABEL,
                    "pinFile": str(hsm.pin_file),
                    "maxSessions": 2,
                    "environment": sorted(hsm.environment),
                    **pkcs11,
                },
            },
        }
    }
