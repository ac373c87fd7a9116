"""A certificate authority for one test run."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_USAGE = dict.fromkeys(
    ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
     "key_agreement", "encipher_only", "decipher_only"),
    False,
) | {"key_cert_sign": True, "crl_sign": True}  # fmt: skip
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key as PEM files."""

    cert: Path
    key: Path


def new_key() -> ec.EllipticCurvePrivateKey:
    """A fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def public_pem(key) -> str:
    """The public half as PEM text."""
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def write_private_key(key, path: Path) -> None:
    """Writes the key as SEC 1 PEM (the form that every program here reads), mode 0600."""
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )


def key_identifier(key) -> x509.SubjectKeyIdentifier:
    """The extension that names the key of a certificate."""
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def authority_key_identifier(issuer_key) -> x509.AuthorityKeyIdentifier:
    """The extension that names the key that signed a certificate. From 3.13 on, Python's ssl
    refuses certificates without the two, as RFC 5280, section 4.2.1, demands them.
    """
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


class Authority:
    """Issues server certificates; its own certificate is at .cert."""

    def __init__(self, folder: Path, name: str = "ca"):
        self.folder = Path(folder)
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.cert = self.folder / f"{name}.crt"
        self._key = new_key()
        self._subject = _name(f"test {name}")
        now = datetime.datetime.now(datetime.timezone.utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(self._subject)
            .issuer_name(self._subject)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(key_identifier(self._key), critical=False)
            .add_extension(x509.KeyUsage(**CA_USAGE), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.cert.chmod(0o644)

    def issue(self, name: str, subject_names, valid_for=7 * DAY, client=False) -> KeyPair:
        """A server certificate for DNS names and addresses, with client also good for a client; a
        negative valid_for makes an expired one.
        """
        usages = [ExtendedKeyUsageOID.SERVER_AUTH]
        usages += [ExtendedKeyUsageOID.CLIENT_AUTH] if client else []
        key = new_key()
        now = datetime.datetime.now(datetime.timezone.utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(_name(name))
            .issuer_name(self._subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 10 * DAY)
            .not_valid_after(now + valid_for)
            .add_extension(
                x509.SubjectAlternativeName([_general_name(n) for n in subject_names]),
                critical=False,
            )
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(key_identifier(key), critical=False)
            .add_extension(authority_key_identifier(self._key), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        pair = KeyPair(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        pair.cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        write_private_key(key, pair.key)
        return pair
