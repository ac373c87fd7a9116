"""Listeners of OpenBao, and of a proxy in front of it, that want more than TLS and a token."""

import http.client
import ssl

import pytest

from rig.hsm_setup import HsmSetup
from rig.openbao import OpenBao
from rig.tenant import Tenant
from rig.tools import fetched
from rig.waits import free_port, wait_for

PLAINTEXT = b"kubernetes secret payload"
PROXY = """\
vault {{
  address = "{address}"
  ca_cert = "{ca}"
}}
api_proxy {{ use_auto_auth_token = false }}
listener "tcp" {{
  address                = "127.0.0.1:{port}"
  tls_cert_file          = "{cert}"
  tls_key_file           = "{key}"
  require_request_header = true
}}
"""


class BaoProxy:
    """`bao proxy` that refuses requests without X-Vault-Request."""

    def __init__(self, workspace, openbao: OpenBao):
        self.openbao = openbao
        self.port = free_port()
        config = workspace.folder("bao-proxy") / "proxy.hcl"
        config.write_text(
            PROXY.format(
                address=openbao.address,
                ca=openbao.ca_file,
                port=self.port,
                cert=openbao.certificate.cert,
                key=openbao.certificate.key,
            )
        )
        self.daemon = workspace.daemon(
            "bao-proxy", [fetched("openbao"), "proxy", f"-config={config}"],
            env={"PATH": "/usr/bin:/bin", "HOME": str(config.parent)},  # it runs sh to find its home
        )

    @property
    def address(self) -> str:
        """https URL for openbao.address."""
        return f"https://127.0.0.1:{self.port}"

    def status(self, headers=None) -> int:
        """How it answers sys/health; 0 = not at all."""
        context = ssl.create_default_context(cafile=str(self.openbao.ca_file))
        connection = http.client.HTTPSConnection(
            "localhost", self.port, timeout=10, context=context
        )
        try:
            connection.request("GET", "/v1/sys/health", headers=headers or {})
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def start(self) -> "BaoProxy":
        """Starts it and waits until it refuses a request without the header."""
        self.daemon.start()
        wait_for(lambda: self.status() == http.HTTPStatus.PRECONDITION_FAILED, "bao proxy")
        return self


def records(provider, message: str) -> list:
    return [event for event in provider.log_events() if event["message"] == message]


def error_class(provider) -> str:
    return provider.ready()[1].get("metadata_error_class", "")


def test_every_request_passes_a_proxy_that_requires_the_request_header(
    workspace, openbao, make_provider
):
    proxy = BaoProxy(workspace, openbao).start()
    assert proxy.status({"X-Vault-Request": "true"}) == http.HTTPStatus.OK
    provider = make_provider(changes={"openbao": {"address": proxy.address}}).start_healthy()
    with provider.client() as client:
        assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT
    assert {event["status"] for event in records(provider, "auth.login")} == {"ok"}


@pytest.fixture
def strict_openbao(workspace):
    """An OpenBao whose listener requires client certificates."""
    server = OpenBao(workspace)
    server.start()
    server.require_client_certificates()
    server.restart()
    return server


def test_a_listener_that_requires_client_certificates_is_named_as_the_cause_and_stays_so(
    workspace, strict_openbao, make_provider
):
    provider = make_provider(
        Tenant(strict_openbao), changes={"auth": {"loginBudgetPerMinute": 4}}
    ).start()
    wait_for(lambda: error_class(provider) == "tls_failed", "tls_failed in /ready")

    def budget_is_used_up():
        assert error_class(provider) == "tls_failed"
        return any(event.get("login_budget") for event in records(provider, "auth.login"))

    wait_for(budget_is_used_up, "a login that the budget refuses")
    wait_for(lambda: error_class(provider) == "tls_failed", "tls_failed in /ready")
    logins = records(provider, "auth.login")
    assert all("requires client certificates" in event["reason"] for event in logins)
    assert {event.get("tls_alert") for event in records(provider, "openbao.request")} == {
        "certificate required"
    }


def test_a_certificate_login_is_refused_where_workers_could_not_connect(
    workspace, own_openbao, make_provider
):
    setup = HsmSetup(workspace, make_provider, own_openbao)
    own_openbao.require_client_certificates(setup.tenant.authority.pem)
    own_openbao.restart()
    setup.provider.start()
    wait_for(
        lambda: setup.logged(
            "auth.login", reason="requires client certificates", tls_alert="certificate required"
        ),
        "the listener to be named as the cause",
    )
    wait_for(lambda: error_class(setup.provider) == "tls_failed", "tls_failed in /ready")
    assert setup.tenant.cert_logins() == 0
