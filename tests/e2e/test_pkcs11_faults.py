"""A PKCS#11 module that hangs, fails, refuses the PIN, or runs in another process."""

import hashlib
import json
import os
import shutil

import pytest

from rig.hsm import KEY_LABEL, TOKEN_LABEL, FaultyModule, RemoteModule
from rig.hsm_setup import PLAINTEXT
from rig.kms import KmsError
from rig.waits import wait_for
from test_pkcs11 import make_setup  # noqa: F401

CKR_GENERAL_ERROR, CKR_DEVICE_ERROR = 0x5, 0x30
CKM_RSA_PKCS, CKM_RSA_X_509, CKM_RSA_PKCS_PSS, CKM_ECDSA = 0x1, 0x3, 0xD, 0x1041
CKA_SIGN, CKA_EC_PARAMS = 0x108, 0x180


@pytest.fixture
def faulty(make_setup):  # noqa: F811
    """(setup, module): short tokens, a short limit for native calls."""

    def make(**traits):
        setup = make_setup(**traits)
        module = FaultyModule(setup.hsm)
        setup.configure(variables=module.environment, **module.settings)
        setup.provider.write_config({"auth": {"loginTimeout": "2s"}})
        return setup, module

    return make


def test_a_module_that_hangs_costs_one_agent_and_no_request(faulty):
    setup, module = faulty(token_ttl="30s")
    setup.provider.start_healthy()
    with setup.provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        module.hang("C_Sign")

        def given_up():
            assert client.decrypt(encrypted) == PLAINTEXT
            return setup.logged("process.ended", child="auth_agent", cause="exit_74")

        wait_for(given_up, "the agent to be ended")
        assert setup.logged("auth.hsm", status="module_hung", reason="does not answer")
        module.heal()
        before = setup.tenant.cert_logins()

        def logged_in_again():
            assert client.decrypt(encrypted) == PLAINTEXT
            return setup.tenant.cert_logins() >= before + 2

        wait_for(logged_in_again, "logins with the module back")
    assert setup.provider.run("pin-latch").stdout == "pinLatch: none\n"


def test_a_set_up_that_the_agent_refuses_ends_serve_with_exit_3(faulty):
    setup, module = faulty()
    closed = setup.hsm.folder / "closed"
    inside = closed / "state"
    inside.mkdir(parents=True)
    # serve passes with the capabilities of root while it checks the host; the agent has none.
    closed.chmod(0o700)
    os.chown(closed, 65534, 65534)
    setup.configure(variables=module.environment, **(module.settings | {"stateDirectory": str(inside)}))
    ended = setup.provider.run("serve", check=False)
    assert ended.returncode == 3
    assert (
        "config invalid; a child process refuses its set-up: "
        "set-up: auth.cert.pkcs11.stateDirectory cannot be opened"
    ) in ended.stderr
    inside.rmdir()
    missing = setup.provider.run("config", check=False)
    assert missing.returncode == 3
    assert "auth.cert.pkcs11.stateDirectory: cannot be opened as a directory" in missing.stderr


@pytest.mark.parametrize("missing", [CKM_RSA_PKCS, CKM_RSA_PKCS_PSS])
def test_logs_in_with_an_rsa_key_whose_token_has_one_kind_of_signature(faulty, missing):
    setup, module = faulty(key="rsa")
    module.forbid(missing)
    module.forbid(CKM_RSA_X_509)  # raw RSA is never used
    setup.provider.start_healthy()
    assert setup.works()


def expect_unusable_key(setup, reason: str) -> None:
    """Starts; the reason is said once, in words, and nothing is started over because of it."""
    setup.provider.start()
    wait_for(
        lambda: setup.provider.ready()[1].get("auth", {}).get("credential") == "cert_invalid",
        "the key to be reported in /ready",
    )
    # Logins are tried again and again; each of them finds the answer of the one agent that is.
    failed = setup.count("auth.login", reason=reason)
    wait_for(lambda: setup.count("auth.login", reason=reason) > failed, "another login to fail")
    assert setup.count("auth.hsm", status="key_unusable", reason=reason) == 1
    assert not setup.logged("process.ended", child="auth_agent")
    assert setup.provider.run("pin-latch").stdout == "pinLatch: none\n"


@pytest.mark.parametrize(
    ("key", "missing", "reason"),
    [
        ("rsa", [CKM_RSA_PKCS, CKM_RSA_PKCS_PSS], "neither CKM_RSA_PKCS_PSS nor CKM_RSA_PKCS"),
        ("p256", [CKM_ECDSA], "the token does not sign with CKM_ECDSA"),
    ],
)
def test_a_key_whose_token_lacks_the_mechanism_is_said_in_words(faulty, key, missing, reason):
    setup, module = faulty(key=key)
    for mechanism in missing:
        module.forbid(mechanism)
    expect_unusable_key(setup, reason)
    assert module.logins() == "."


def test_a_key_that_wants_the_pin_for_every_signature_is_said_in_words(make_setup):  # noqa: F811
    setup = make_setup(key_options=["--usage-sign", "--always-auth"])
    expect_unusable_key(setup, "CKA_ALWAYS_AUTHENTICATE")


def test_a_key_that_may_not_sign_is_said_in_words(faulty):
    setup, module = faulty()
    module.deny(CKA_SIGN)
    expect_unusable_key(setup, "CKA_SIGN is false")
    assert module.logins() == "."


def expect_absent(setup, status: str, reason: str) -> None:
    """Starts; the reason is said once, however often a login looks again, and no agent ends."""
    setup.provider.start()
    wait_for(lambda: setup.logged("auth.hsm", status=status, reason=reason), "the reason")
    failed = setup.count("auth.login", reason=reason)
    wait_for(
        lambda: setup.count("auth.login", reason=reason) >= failed + 3, "further logins to fail"
    )
    assert setup.count("auth.hsm", reason=reason) == 1
    assert not setup.logged("process.ended", child="auth_agent")
    assert setup.provider.ready()[1]["auth"]["credential"] == "error"


def test_a_key_that_is_created_later_is_found_with_one_login_to_the_token(faulty):
    setup, module = faulty()
    # SoftHSM shows new keys to a session only if it could write its token at the login.
    setup.configure(keyLabel="later", stateDirectory=str(setup.hsm.folder))
    expect_absent(setup, "key_unusable", "no private key matches auth.cert.pkcs11.keyLabel")
    assert module.logins() == "."
    setup.renew_certificate(public_key=setup.hsm.generate("later", "02"))
    setup.provider.wait_healthy()
    assert setup.works()
    assert module.logins() == "."
    assert not setup.logged("process.ended", child="auth_agent")
    assert setup.provider.run("pin-latch").stdout == "pinLatch: none\n"


def test_a_token_that_appears_later_is_found(make_setup):  # noqa: F811
    setup = make_setup()
    setup.hsm.hide()
    expect_absent(setup, "module_failed", "no token matches auth.cert.pkcs11.tokenLabel")
    setup.hsm.restore()
    setup.provider.wait_healthy()
    assert setup.works()
    assert not setup.logged("process.ended", child="auth_agent")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/nonexistent/module.so", "file_missing: auth.cert.pkcs11.modulePath: cannot be opened"),
        ("/etc/hosts", "the file is not a shared library"),
        ("/lib/x86_64-linux-gnu/libm.so.6", "it has no C_GetFunctionList"),
    ],
)
def test_a_module_that_cannot_be_loaded_is_said_in_words(make_setup, path, reason):  # noqa: F811
    setup = make_setup()
    setup.configure(modulePath=path)
    expect_absent(setup, "module_failed", reason)


@pytest.mark.parametrize("key", ["p256", "p384"])
def test_the_curve_of_a_key_without_parameters_is_the_certificates(faulty, key):
    setup, module = faulty(key=key)
    module.hide(CKA_EC_PARAMS)
    setup.provider.start_healthy()
    assert setup.works()


def test_a_pin_file_with_a_byte_order_mark_never_reaches_the_token(faulty):
    setup, module = faulty()
    setup.hsm.write_pin("\ufeff" + setup.hsm.pin)
    setup.provider.start()
    wait_for(
        lambda: setup.logged("auth.hsm", status="pin_waiting", reason="byte order mark"),
        "the file to be refused",
    )
    assert module.logins() == ""
    setup.hsm.write_pin(setup.hsm.pin)
    setup.provider.wait_healthy()
    assert module.logins() == "."


def test_an_unexpected_answer_is_named_and_costs_one_agent(faulty):
    setup, module = faulty(token_ttl="30s")
    setup.provider.start_healthy()
    module.fail("C_Sign", CKR_DEVICE_ERROR)
    wait_for(
        lambda: setup.logged("auth.hsm", reason="C_Sign: CKR_DEVICE_ERROR"),
        "the answer to be named",
    )
    module.heal()
    before = setup.tenant.cert_logins()
    wait_for(lambda: setup.tenant.cert_logins() >= before + 2, "logins again")
    assert setup.works()


def clear_if_the_right_pin_has_the_same_tag(setup) -> None:
    """One PIN in 16 has the tag of its predecessor, of which the salt is random."""
    with open(setup.provider.config["state"]["path"] + ".pin-latch", encoding="ascii") as record:
        _, _, tag, salt = record.read().split()
    assert tag[1:] == "000", "four bits"
    if hashlib.sha256(bytes.fromhex(salt) + setup.hsm.pin.encode()).hexdigest()[0] == tag[0]:
        setup.provider.run("pin-latch", "--clear")


def test_a_module_that_others_may_write_is_not_loaded(faulty):
    setup, module = faulty()
    foreign = setup.hsm.folder / "writable.so"
    shutil.copy(module.path, foreign)
    foreign.chmod(0o664)
    setup.configure(modulePath=str(foreign))
    refused = setup.provider.run("config", check=False)
    assert refused.returncode == 3
    assert "auth.cert.pkcs11.modulePath: mode 0664, at most 0644 is allowed; run chmod" in refused.stderr

    # A URI is read by the agent.
    setup.configure(
        uri=f"pkcs11:token={TOKEN_LABEL};object={KEY_LABEL};type=private?module-path={foreign}",
        modulePath=None,
        tokenLabel=None,
        keyLabel=None,
    )
    setup.provider.start()
    reason = "unsafe_permissions: module-path of auth.cert.pkcs11.uri: mode 0664, at most 0644"
    wait_for(
        lambda: setup.logged("auth.hsm", status="module_failed", reason=reason), "the refusal"
    )
    assert module.logins() == ""
    foreign.chmod(0o644)
    setup.provider.wait_healthy()


def pin_verdict(provider) -> tuple:
    """What the command isolation says about the PIN."""
    report = json.loads(provider.run("isolation", "--output", "json").stdout)
    return next(
        (row["status"], row.get("message")) for row in report["checks"] if row["id"] == "promise.pin"
    )


def test_a_wrong_pin_is_tried_once_over_five_restarts(faulty):
    setup, module = faulty()
    token = setup.hsm.contents()
    setup.hsm.write_pin("not the PIN")
    for start in range(5):
        setup.provider.start()
        wait_for(
            lambda: setup.count("auth.hsm", status="pin_waiting") > start,  # noqa: B023
            f"the refusal to be reported at start {start}",
        )
        assert setup.provider.stop() == 0
    assert module.logins() == "x"
    assert setup.logged("auth.hsm", reason="C_Login: CKR_PIN_INCORRECT")
    assert setup.logged("auth.hsm", reason="PIN latched: the token refused it")
    assert setup.provider.run("pin-latch").stdout == "pinLatch: refused\n"
    status, message = pin_verdict(setup.provider)
    assert status == "warn" and message.startswith("the token refused the PIN; it is not tried again")
    assert setup.hsm.contents() == token  # nothing but its state directory is writable

    # Another PIN is all it takes, also while the provider runs.
    clear_if_the_right_pin_has_the_same_tag(setup)
    setup.provider.start()
    setup.hsm.write_pin(setup.hsm.pin)
    setup.provider.wait_healthy()
    assert module.logins() == "x."
    assert setup.provider.run("pin-latch").stdout == "pinLatch: none\n"
    assert pin_verdict(setup.provider) == ("pass", None)


def test_a_restart_loop_cannot_lock_the_token(faulty):
    setup, module = faulty()
    setup.hsm.write_pin("not the PIN")
    for _ in range(3):
        setup.provider.start()
        wait_for(lambda: module.logins() != "", "the first attempt")
        setup.provider.kill()
    assert module.logins() == "x"


def test_an_attempt_that_never_ended_is_latched_until_it_is_cleared(faulty):
    setup, module = faulty()
    module.hang("C_Login")
    setup.provider.start()
    wait_for(
        lambda: setup.logged("auth.hsm", reason="an attempt with it never ended"),
        "the second agent to hold back",
    )
    assert setup.provider.run("pin-latch").stdout == "pinLatch: attempting\n"
    module.heal()
    cleared = setup.provider.run("pin-latch", "--clear")
    assert cleared.stdout == "pinLatch: none\ncleared: true\n"
    setup.provider.wait_healthy()
    assert module.logins() == "."


def test_a_login_whose_answer_says_nothing_about_the_pin_is_not_repeated(faulty):
    setup, module = faulty()
    module.fail("C_Login", CKR_GENERAL_ERROR)
    for start in range(3):
        setup.provider.start()
        wait_for(
            lambda: setup.count("auth.hsm", reason="an attempt with it never ended") > start,  # noqa: B023
            f"the latch to hold at start {start}",
        )
        assert setup.provider.stop() == 0
    assert setup.count("auth.hsm", reason="C_Login: ") == 1
    assert setup.provider.run("pin-latch").stdout == "pinLatch: attempting\n"
    module.heal()
    setup.provider.run("pin-latch", "--clear")
    setup.provider.start_healthy()
    assert module.logins() == "."


@pytest.mark.parametrize("key", ["rsa", "p256", "p384"])
def test_logs_in_through_p11_kits_remote_module(workspace, make_setup, key):  # noqa: F811
    setup = make_setup(key=key, token_ttl="20s")
    remote = RemoteModule(workspace, setup.hsm)
    remote.start()
    setup.configure(variables=remote.environment, **remote.settings)
    setup.provider.start_healthy()
    with setup.provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        remote.kill()
        wait_for(
            lambda: setup.logged("process.ended", child="auth_agent", cause="exit_73"),
            "the agent to notice",
        )
        remote.start()
        wait_for(
            lambda: client.decrypt(encrypted) == PLAINTEXT, "recovery", ignoring=(KmsError,)
        )
        setup.provider.wait_healthy()
