"""Login with a client certificate whose private key is in a PKCS#11 token."""

import datetime

import pytest

from rig.hsm import KEY_LABEL, KEY_TYPES, SOFTHSM, TOKEN_LABEL
from rig.hsm_stand import PLAINTEXT, Stand
from rig.kms import KmsError
from rig.openbao import OpenBao
from rig.pki import new_key
from rig.waits import wait_for


@pytest.fixture
def make_stand(workspace, make_provider, openbao):
    """make_stand(key="p256", token_ttl="10m", openbao=the shared one) -> Stand"""

    def make(openbao=openbao, **traits):
        return Stand(workspace, make_provider, openbao, **traits)

    return make


@pytest.fixture(scope="module")
def openbao_tls12(session_workspace):
    """An OpenBao that speaks nothing newer than TLS 1.2."""
    return OpenBao(session_workspace, name="openbao-tls12", tls="tls12").start()


@pytest.mark.parametrize("key", sorted(KEY_TYPES))
def test_logs_in_with_each_kind_of_key_over_tls_1_3(make_stand, key):
    stand = make_stand(key=key)
    before = stand.hsm.contents()
    stand.provider.start_healthy()
    assert stand.works()
    assert stand.tenant.cert_logins() >= 2  # one per worker
    assert stand.hsm.contents() == before  # the token is read-only for the agent


@pytest.mark.parametrize("key", sorted(KEY_TYPES))
def test_logs_in_with_each_kind_of_key_over_tls_1_2(make_stand, openbao_tls12, key):
    stand = make_stand(openbao=openbao_tls12, key=key)
    stand.provider.start_healthy()
    assert stand.works()


def test_finds_key_module_and_pin_by_a_uri(make_stand):
    stand = make_stand()
    stand.configure(
        uri=f"pkcs11:token={TOKEN_LABEL};object={KEY_LABEL};type=private"
        f"?module-path={SOFTHSM}&pin-source=file://{stand.hsm.pin_file}",
        modulePath=None,
        tokenLabel=None,
        keyLabel=None,
        pinFile=None,
    )
    stand.provider.start_healthy()
    assert stand.works()


def test_the_pin_may_come_from_systemd(make_stand):
    stand = make_stand()
    stand.configure(pinFile=stand.provider.load_credential("pin", stand.hsm.pin))
    stand.hsm.pin_file.unlink()
    stand.provider.start_healthy()
    assert stand.works()


def test_a_token_is_replaced_by_a_new_login_before_it_ends(make_stand):
    stand = make_stand(token_ttl="12s")
    stand.provider.start_healthy()
    with stand.provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)

        def three_logins_per_worker():
            assert client.decrypt(encrypted) == PLAINTEXT
            return stand.tenant.cert_logins() >= 6

        wait_for(three_logins_per_worker, "new logins")
    assert stand.tenant.cert_logins() <= 12


def test_a_replaced_certificate_is_used_and_a_bad_one_reported_before_it_is_needed(make_stand):
    stand = make_stand()
    stand.provider.start_healthy()
    days = stand.provider.ready()[1]["auth"]["certificate_ends_in_s"] / 86400
    assert 6.9 < days <= 7
    stand.renew_certificate(public_key=new_key().public_key())
    wait_for(
        lambda: stand.logged(
            "auth.credential", status="cert_invalid", reason="do not belong together"
        ),
        "the foreign certificate to be reported",
    )
    stand.renew_certificate(valid_for=datetime.timedelta(hours=1))
    wait_for(
        lambda: stand.logged("auth.credential", status="cert_near_expiry"),
        "the certificate's end to be reported",
    )
    assert stand.works()  # the tokens live on


def test_a_token_that_is_taken_away_costs_nothing_but_a_restart_of_the_agent(make_stand):
    stand = make_stand(token_ttl="20s")
    stand.provider.start_healthy()
    with stand.provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        stand.hsm.hide()
        wait_for(
            lambda: stand.logged("process.ended", child="auth_agent", cause="exit_73"),
            "the agent to give up its session",
        )
        assert stand.logged("auth.hsm", status="module_failed", reason="CKR_")
        wait_for(
            lambda: stand.logged("auth.hsm", reason="no token matches"),
            "the reason to be named",
        )
        stand.hsm.restore()
        wait_for(
            lambda: client.decrypt(encrypted) == PLAINTEXT, "recovery", ignoring=(KmsError,)
        )
        stand.provider.wait_healthy()
    assert stand.provider.run("pin-latch").stdout == "pinLatch: none\n"
