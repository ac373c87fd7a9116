"""Login with a client certificate whose private key is in a PKCS#11 token."""

import datetime

import pytest

from rig import processes
from rig.hsm import KEY_LABEL, KEY_TYPES, SOFTHSM, TOKEN_LABEL
from rig.hsm_setup import PLAINTEXT, HsmSetup
from rig.kms import KmsError
from rig.openbao import OpenBao
from rig.pki import new_key
from rig.provider import AGENT
from rig.waits import wait_for


@pytest.fixture
def make_setup(workspace, make_provider, openbao):
    """make_setup(key="p256", token_ttl="10m", openbao=the shared one) -> HsmSetup"""

    def make(openbao=openbao, **traits):
        return HsmSetup(workspace, make_provider, openbao, **traits)

    return make


@pytest.fixture(scope="module")
def openbao_tls12(session_workspace):
    """An OpenBao that speaks nothing newer than TLS 1.2."""
    return OpenBao(session_workspace, name="openbao-tls12", tls="tls12").start()


@pytest.mark.parametrize("key", sorted(KEY_TYPES))
def test_logs_in_with_each_kind_of_key_over_tls_1_3(make_setup, key):
    setup = make_setup(key=key)
    before = setup.hsm.contents()
    setup.provider.start_healthy()
    assert setup.works()
    assert setup.tenant.cert_logins() >= 2  # one per worker
    assert setup.hsm.contents() == before  # the token is read-only for the agent


@pytest.mark.parametrize("key", sorted(KEY_TYPES))
def test_logs_in_with_each_kind_of_key_over_tls_1_2(make_setup, openbao_tls12, key):
    setup = make_setup(openbao=openbao_tls12, key=key)
    setup.provider.start_healthy()
    assert setup.works()


def test_the_agent_has_a_filter_for_each_stage_of_its_module(make_setup):
    setup = make_setup()
    setup.provider.start_healthy()
    (agent,) = setup.provider.pids(AGENT)
    main, *others = processes.own_filters(agent)
    assert main == 4  # the spawner's, two for the module, and that of every agent
    assert others and set(others) == {3}  # threads of the module never see what the main one does


def test_finds_key_module_and_pin_by_a_uri(make_setup):
    setup = make_setup()
    setup.configure(
        uri=f"pkcs11:token={TOKEN_LABEL};object={KEY_LABEL};type=private"
        f"?module-path={SOFTHSM}&pin-source=file://{setup.hsm.pin_file}",
        modulePath=None,
        tokenLabel=None,
        keyLabel=None,
        pinFile=None,
    )
    setup.provider.start_healthy()
    assert setup.works()


def test_the_pin_may_come_from_systemd(make_setup):
    setup = make_setup()
    setup.configure(pinFile=setup.provider.load_credential("pin", setup.hsm.pin))
    setup.hsm.pin_file.unlink()
    setup.provider.start_healthy()
    assert setup.works()


def test_a_token_is_replaced_by_a_new_login_before_it_ends(make_setup):
    setup = make_setup(token_ttl="12s")
    setup.provider.start_healthy()
    with setup.provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)

        def three_logins_per_worker():
            assert client.decrypt(encrypted) == PLAINTEXT
            return setup.tenant.cert_logins() >= 6

        wait_for(three_logins_per_worker, "new logins")
    assert setup.tenant.cert_logins() <= 12


def test_a_replaced_certificate_is_used_and_a_bad_one_reported_before_it_is_needed(make_setup):
    setup = make_setup()
    setup.provider.start_healthy()
    days = setup.provider.ready()[1]["auth"]["certificate_ends_in_s"] / 86400
    assert 6.9 < days <= 7
    setup.renew_certificate(public_key=new_key().public_key())
    wait_for(
        lambda: setup.logged(
            "auth.credential", status="cert_invalid", reason="does not belong to the certificate"
        ),
        "the foreign certificate to be reported",
    )
    setup.renew_certificate(valid_for=datetime.timedelta(hours=1))
    wait_for(
        lambda: setup.logged("auth.credential", status="cert_near_expiry"),
        "the certificate's end to be reported",
    )
    assert setup.works()  # the tokens live on


def test_a_token_that_is_taken_away_costs_nothing_but_a_restart_of_the_agent(make_setup):
    setup = make_setup(token_ttl="20s")
    setup.provider.start_healthy()
    with setup.provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        setup.hsm.hide()
        wait_for(
            lambda: setup.logged("process.ended", child="auth_agent", cause="exit_73"),
            "the agent to give up its session",
        )
        assert setup.logged("auth.hsm", status="module_failed", reason="CKR_")
        wait_for(
            lambda: setup.logged("auth.hsm", reason="no token matches"),
            "the reason to be named",
        )
        setup.hsm.restore()
        wait_for(
            lambda: client.decrypt(encrypted) == PLAINTEXT, "recovery", ignoring=(KmsError,)
        )
        setup.provider.wait_healthy()
    assert setup.provider.run("pin-latch").stdout == "pinLatch: none\n"
