"""A provider that logs in with a certificate whose key is in a PKCS#11 token of its own."""

from .hsm import CertTenant, SoftHsm, cert_auth, write_certificate

PLAINTEXT = b"kubernetes secret payload"


class HsmSetup:
    """A provider with a token of its own, not yet started; hsm as in SoftHsm()."""

    def __init__(self, workspace, make_provider, openbao, token_ttl="10m", **hsm):
        self.tenant = CertTenant(openbao, token_ttl=token_ttl)
        self.hsm = SoftHsm(workspace, **hsm)
        self.certificate = self.hsm.folder / "client.pem"
        self.renew_certificate()
        self.provider = make_provider(
            self.tenant, cert_auth(self.tenant, self.hsm, self.certificate)
        )
        self.provider.daemon.env = dict(self.hsm.environment)

    def renew_certificate(self, **traits) -> None:
        """Replaces the certificate; traits as in ClientAuthority.issue()."""
        public_key = traits.pop("public_key", self.hsm.public_key)
        pem = self.tenant.authority.issue(self.tenant.subject, public_key, **traits)
        write_certificate(pem, self.certificate)

    def configure(self, variables=None, **pkcs11) -> None:
        """Changes keys of auth.cert.pkcs11; None removes one."""
        self.provider.write_config({"auth": {"cert": {"pkcs11": pkcs11}}})
        self.provider.daemon.env.update(variables or {})

    def count(self, message: str, **fields) -> int:
        """How many such records the log has, of all starts."""
        return sum(
            event.get("message") == message
            and all(value in str(event.get(name, "")) for name, value in fields.items())
            for event in self.provider.log_events()
        )

    def logged(self, message: str, **fields) -> bool:
        """Whether the log has such a record."""
        return self.count(message, **fields) > 0

    def works(self) -> bool:
        """Whether a round trip succeeds now."""
        with self.provider.client() as client:
            return client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT
