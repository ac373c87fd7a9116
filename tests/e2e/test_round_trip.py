"""What Kubernetes asks of a provider, through the socket, against a real OpenBao."""

import base64
import dataclasses
import hashlib

import grpc
import pytest

from rig.kms import refusal

PLAINTEXT = b"kubernetes secret payload"
TEMPORARY = " (temporary)"


def b64u(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def hashed(text: str) -> bytes:
    """H(text) of docs/contract.md#encodings."""
    return b64u(hashlib.sha256(text.encode()).digest()).encode()


@pytest.fixture
def provider(shared_provider):
    return shared_provider


@pytest.fixture
def kms(shared_kms):
    return shared_kms


@pytest.fixture
def sealed_text(kms):
    return kms.encrypt(PLAINTEXT)


def test_status_is_ok_with_a_well_formed_key_id(kms):
    status = kms.status()
    assert (status.version, status.healthz) == ("v2", "ok")
    assert len(status.key_id) == 48 and status.key_id.startswith("obk2.")


def test_key_id_is_the_documented_hash_of_identity_and_creation_time(provider, kms):
    tenant, scope = provider.tenant, provider.config["transit"]["keyIdScope"]
    key = tenant.openbao.request("GET", f"{tenant.transit_mount}/keys/{tenant.key_name}")["data"]
    parts = [
        "openbao-kubernetes-kms/key-id/v1",
        scope["providerName"],
        scope["clusterId"],
        provider.config["openbao"]["instanceId"],
        scope["transitMountId"],
        scope["keyLineageId"],
        "1",
        str(key["keys"]["1"]),
    ]
    preimage = b"".join(part.encode() + b"\0" for part in parts)
    assert kms.status().key_id == "obk2." + b64u(hashlib.sha256(preimage).digest())


def test_decrypt_gives_back_what_was_encrypted(kms):
    for plaintext in (b"\0", PLAINTEXT, bytes(range(32)), b"x" * 731):
        assert kms.decrypt(kms.encrypt(plaintext)) == plaintext


def test_encrypt_answers_with_the_key_id_of_status_and_the_contract_annotations(provider, kms):
    encrypted = kms.encrypt(PLAINTEXT)
    scope = provider.config["transit"]["keyIdScope"]
    assert encrypted.key_id == kms.status().key_id
    assert encrypted.ciphertext.startswith(b"vault:v1:")
    expected = {
        "provider.kms.openbao.org": b"openbao-transit",
        "key-id-hash.kms.openbao.org": hashed(encrypted.key_id),
        "transit-key-version.kms.openbao.org": b"1",
        "transit-mount-hash.kms.openbao.org": hashed(scope["transitMountId"]),
        "transit-key-hash.kms.openbao.org": hashed(scope["keyLineageId"]),
        "aad-version.kms.openbao.org": b"v1",
    }
    annotations = dict(encrypted.annotations)
    assert annotations.pop("plugin-version.kms.openbao.org")
    assert annotations == expected


def test_equal_plaintexts_give_different_ciphertexts(kms):
    assert kms.encrypt(PLAINTEXT).ciphertext != kms.encrypt(PLAINTEXT).ciphertext


def test_transit_cannot_decrypt_without_the_associated_data(provider, sealed_text):
    tenant = provider.tenant
    with pytest.raises(Exception, match="message authentication failed"):
        tenant.openbao.request(
            "POST",
            f"{tenant.transit_mount}/decrypt/{tenant.key_name}",
            {"ciphertext": sealed_text.ciphertext.decode()},
        )


def test_both_authority_forms_are_accepted(provider):
    for authority in ("localhost", str(provider.socket_path).replace("/", "%2F")):
        with provider.client(authority) as client:
            assert client.status().ok


def test_unknown_key_id_is_not_found_without_a_decrypt_call(provider, kms, sealed_text):
    before = provider.tenant.transit_requests("decrypt")
    forged = "obk2." + b64u(hashlib.sha256(b"never issued").digest())
    error = refusal(lambda: kms.decrypt(dataclasses.replace(sealed_text, key_id=forged)))
    assert (error.code, error.text) == (grpc.StatusCode.NOT_FOUND, "key_id unknown")
    assert provider.tenant.transit_requests("decrypt") == before


@pytest.mark.parametrize(
    "key_id", ["", "obk2.", "obk2." + "A" * 42, "obk1." + "A" * 43, "obk2." + "=" * 43, "x" * 1023]
)
def test_malformed_key_id_is_an_invalid_argument(kms, sealed_text, key_id):
    error = refusal(lambda: kms.decrypt(dataclasses.replace(sealed_text, key_id=key_id)))
    assert (error.code, error.text) == (grpc.StatusCode.INVALID_ARGUMENT, "key_id malformed")


def test_decrypt_without_annotations_is_an_invalid_argument(kms, sealed_text):
    error = refusal(lambda: kms.decrypt(dataclasses.replace(sealed_text, annotations={})))
    assert (error.code, error.text) == (grpc.StatusCode.INVALID_ARGUMENT, "annotations invalid")


INVALID, MISMATCH = "annotations invalid", "annotations do not match key snapshot"
TAMPERED = [
    ("provider", b"other", INVALID),
    ("aad-version", b"v2", INVALID),
    ("plugin-version", b"", INVALID),
    ("transit-key-version", b"999", MISMATCH),
    ("transit-key-version", b"01", INVALID),
    ("key-id-hash", hashed("other"), MISMATCH),
    ("transit-mount-hash", hashed("other"), MISMATCH),
    ("transit-key-hash", hashed("other"), MISMATCH),
    ("openbao-namespace-hash", hashed("other"), MISMATCH),
    ("key-id-hash", b"not-base64url-sha256", INVALID),
]


@pytest.mark.parametrize("name, value, text", TAMPERED)
def test_tampered_annotation_is_refused_without_a_decrypt_call(
    provider, kms, sealed_text, name, value, text
):
    before = provider.tenant.transit_requests("decrypt")
    annotations = {**sealed_text.annotations, f"{name}.kms.openbao.org": value}
    error = refusal(lambda: kms.decrypt(dataclasses.replace(sealed_text, annotations=annotations)))
    assert (error.code, error.text) == (grpc.StatusCode.INVALID_ARGUMENT, text)
    assert provider.tenant.transit_requests("decrypt") == before


def test_additional_annotations_and_another_plugin_version_are_accepted(kms, sealed_text):
    annotations = {
        **sealed_text.annotations,
        "plugin-version.kms.openbao.org": b"v0.0.1",
        "extra.example.org": b"anything",
    }
    assert kms.decrypt(dataclasses.replace(sealed_text, annotations=annotations)) == PLAINTEXT


def test_changed_ciphertext_is_refused(kms, sealed_text):
    text = sealed_text.ciphertext
    flipped = text[:-8] + bytes([text[-8] ^ 1]) + text[-7:]
    for ciphertext in (flipped, text[:-4], text[:20], b"vault:v1:AAAA"):
        error = refusal(
            lambda: kms.decrypt(dataclasses.replace(sealed_text, ciphertext=ciphertext))
        )
        assert error.code == grpc.StatusCode.INVALID_ARGUMENT


def test_ciphertext_of_another_version_is_refused_before_any_call(provider, kms, sealed_text):
    before = provider.tenant.transit_requests("decrypt")
    other = sealed_text.ciphertext.replace(b"vault:v1:", b"vault:v2:")
    error = refusal(lambda: kms.decrypt(dataclasses.replace(sealed_text, ciphertext=other)))
    assert (error.code, error.text) == (grpc.StatusCode.INVALID_ARGUMENT, MISMATCH)
    assert provider.tenant.transit_requests("decrypt") == before


def test_empty_fields_and_limits_have_their_documented_texts(kms, sealed_text):
    limits = "kms request exceeds protocol limits"
    cases = [
        (lambda: kms.encrypt(b""), "plaintext is required"),
        (lambda: kms.encrypt(b"x" * 732), limits),
        (
            lambda: kms.decrypt(dataclasses.replace(sealed_text, ciphertext=b"")),
            "ciphertext is required",
        ),
        (lambda: kms.decrypt(dataclasses.replace(sealed_text, ciphertext=b"x" * 1024)), limits),
        (lambda: kms.decrypt(dataclasses.replace(sealed_text, key_id="x" * 1024)), limits),
        (
            lambda: kms.decrypt(
                dataclasses.replace(sealed_text, annotations={"a.example.org": b"x" * 32768})
            ),
            limits,
        ),
    ]
    for call, text in cases:
        error = refusal(call)
        assert (error.code, error.text) == (grpc.StatusCode.INVALID_ARGUMENT, text)


def test_message_over_the_transport_limit_is_refused_without_a_call(provider, kms):
    before = provider.tenant.transit_requests("encrypt")
    error = refusal(lambda: kms.encrypt(b"x" * 65536))
    assert error.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert provider.tenant.transit_requests("encrypt") == before
