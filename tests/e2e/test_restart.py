"""The provider and OpenBao go away and come back, in every order."""

import grpc
import pytest

from rig.kms import KmsError, refusal
from rig.tenant import Tenant
from rig.waits import wait_for

PLAINTEXT = b"kubernetes secret payload"


@pytest.fixture
def own_provider(own_openbao, make_provider):
    """A healthy provider on an OpenBao that the test may break."""
    return make_provider(Tenant(own_openbao)).start_healthy()


def recovered(client, encrypted) -> bool:
    return client.decrypt(encrypted) == PLAINTEXT


def test_data_and_key_id_survive_a_restart_of_the_provider(provider, kms):
    encrypted = kms.encrypt(PLAINTEXT)
    assert provider.stop() == 0
    provider.start_healthy()
    with provider.client() as client:
        assert client.status().key_id == encrypted.key_id
        assert client.decrypt(encrypted) == PLAINTEXT


def test_data_survives_kill_9_of_the_provider(provider, kms):
    encrypted = kms.encrypt(PLAINTEXT)
    provider.kill()
    provider.start_healthy()
    with provider.client() as client:
        assert client.decrypt(encrypted) == PLAINTEXT


def test_serve_starts_with_openbao_down_and_becomes_ready_by_itself(own_openbao, make_provider):
    provider = make_provider(Tenant(own_openbao))
    own_openbao.stop()
    provider.start()
    with provider.client() as client:
        status = client.status()
        assert (status.version, status.healthz, status.key_id) == ("v2", "unhealthy", "")
        error = refusal(lambda: client.encrypt(PLAINTEXT))
        assert error.code == grpc.StatusCode.FAILED_PRECONDITION
        assert error.text.endswith(" (temporary)")
        assert provider.ready()[0] == 503
        assert provider.get("/live")[0] == 200
        own_openbao.start()
        provider.wait_healthy()
        assert client.decrypt(client.encrypt(PLAINTEXT)) == PLAINTEXT
        wait_for(lambda: provider.ready()[0] == 200, "/ready to say 200")


def test_kill_9_of_openbao_is_reported_as_temporary_and_heals(own_openbao, own_provider):
    with own_provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        own_openbao.kill()
        error = refusal(lambda: client.decrypt(encrypted))
        assert (error.code, error.text) == (
            grpc.StatusCode.UNAVAILABLE,
            "transit unavailable (temporary)",
        )
        own_openbao.start()
        wait_for(
            lambda: recovered(client, encrypted), "Decrypt to work again", ignoring=(KmsError,)
        )
        own_provider.wait_healthy()


def test_a_sealed_openbao_is_reported_as_temporary_and_heals(own_openbao, own_provider):
    with own_provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
        own_openbao.seal()
        error = refusal(lambda: client.decrypt(encrypted))
        assert (error.code, error.text) == (
            grpc.StatusCode.UNAVAILABLE,
            "transit unavailable (temporary)",
        )
        own_openbao.unseal()
        wait_for(
            lambda: recovered(client, encrypted), "Decrypt to work again", ignoring=(KmsError,)
        )
        own_provider.wait_healthy()


def test_decrypt_works_right_after_a_provider_restart_during_an_outage_ends(
    own_openbao, own_provider
):
    with own_provider.client() as client:
        encrypted = client.encrypt(PLAINTEXT)
    own_openbao.kill()
    assert own_provider.stop() == 0
    own_provider.start()
    own_openbao.start()
    with own_provider.client() as client:
        wait_for(lambda: recovered(client, encrypted), "Decrypt to work", ignoring=(KmsError,))


def test_ready_names_the_cause_of_an_outage_from_the_start(own_openbao, own_provider):
    own_openbao.kill()
    assert own_provider.stop() == 0
    own_provider.start()

    def cause() -> bool:
        ready = own_provider.ready()[1]
        known = {"metadata_read_failed", "upsert_check_failed"} & set(ready["reasons"])
        return bool(known) and ready.get("metadata_error_class") == "connection_failed"

    wait_for(cause, "the class of the failed calls")
    own_openbao.start()
    own_provider.wait_healthy()
