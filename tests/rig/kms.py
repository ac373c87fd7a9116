"""A KMS v2 client written from Kubernetes' api.proto, with no code of the product in it."""

import os
import uuid
from dataclasses import dataclass, field

# Read by the import below. The rig starts programs, which gRPC must not take for forks of itself.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from .tools import RigError

CALL_SECONDS = 30.0  # a bound for the test; the provider's own deadline is openbao.timeout
SERVICE = "/v2.KeyManagementService/"

_FIELD = descriptor_pb2.FieldDescriptorProto
_MESSAGES = {
    "StatusRequest": [],
    "StatusResponse": [("version", "text"), ("healthz", "text"), ("key_id", "text")],
    "DecryptRequest": [
        ("ciphertext", "bytes"),
        ("uid", "text"),
        ("key_id", "text"),
        ("annotations", "map"),
    ],
    "DecryptResponse": [("plaintext", "bytes")],
    "EncryptRequest": [("plaintext", "bytes"), ("uid", "text")],
    "EncryptResponse": [("ciphertext", "bytes"), ("key_id", "text"), ("annotations", "map")],
}


def _file_descriptor() -> descriptor_pb2.FileDescriptorProto:
    """v2 of k8s.io/kms. Text is declared bytes, so that a test can send text that is not UTF-8."""
    file = descriptor_pb2.FileDescriptorProto(name="rig_kms.proto", package="v2", syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field_name, kind) in enumerate(fields, start=1):
            entry = message.field.add(
                name=field_name, number=number, type=_FIELD.TYPE_BYTES, label=_FIELD.LABEL_OPTIONAL
            )
            if kind == "map":
                entry.type = _FIELD.TYPE_MESSAGE
                entry.label = _FIELD.LABEL_REPEATED
                entry.type_name = ".v2.Annotation"
    pair = file.message_type.add(name="Annotation")  # the wire form of map<string, bytes>
    for number, field_name in enumerate(("key", "value"), start=1):
        pair.field.add(
            name=field_name, number=number, type=_FIELD.TYPE_BYTES, label=_FIELD.LABEL_OPTIONAL
        )
    return file


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_file_descriptor())


def _message(name: str, **values):
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"v2.{name}"))(**values)


def _bytes(value) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


class KmsError(Exception):
    """The provider answered with a gRPC error: .code is a grpc.StatusCode, .text the public text.
    """

    def __init__(self, error: grpc.RpcError):
        super().__init__(f"{error.code().name}: {error.details()}")
        self.code = error.code()
        self.text = error.details()


def refusal(call) -> KmsError:
    """The error that the call ends with."""
    try:
        call()
    except KmsError as error:
        return error
    raise RigError("a call that should have been refused succeeded")


@dataclass(frozen=True)
class Status:
    """StatusResponse."""

    version: str
    healthz: str
    key_id: str

    @property
    def ok(self) -> bool:
        """Whether the provider calls itself healthy."""
        return self.healthz == "ok"


@dataclass(frozen=True)
class Encrypted:
    """EncryptResponse, and what Decrypt needs; dataclasses.replace() makes a tampered one."""

    ciphertext: bytes
    key_id: str
    annotations: dict = field(default_factory=dict)


class KmsClient:
    """One connection to the provider's socket.

    authority: the :authority to send; None = "localhost" as newer API servers do (older ones send
    the path).
    """

    def __init__(self, socket_path, authority=None):
        options = [
            ("grpc.default_authority", authority or "localhost"),
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 500),
            ("grpc.max_receive_message_length", 1 << 20),
        ]
        self._channel = grpc.insecure_channel(f"unix:{socket_path}", options)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def _call(self, method: str, timeout: float, **values):
        response_class = message_factory.GetMessageClass(
            _POOL.FindMessageTypeByName(f"v2.{method}Response")
        )
        call = self._channel.unary_unary(
            SERVICE + method,
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=response_class.FromString,
        )
        try:
            request = _message(f"{method}Request", **values)
            return call(request, timeout=timeout)
        except grpc.RpcError as error:
            raise KmsError(error) from None

    def status(self, timeout: float = CALL_SECONDS) -> Status:
        """Status."""
        answer = self._call("Status", timeout)
        return Status(answer.version.decode(), answer.healthz.decode(), answer.key_id.decode())

    def encrypt(self, plaintext: bytes, uid=None, timeout: float = CALL_SECONDS) -> Encrypted:
        """Encrypt; a uid is made when none is given."""
        answer = self._call(
            "Encrypt", timeout, plaintext=plaintext, uid=_bytes(uid or str(uuid.uuid4()))
        )
        annotations = {pair.key.decode(): pair.value for pair in answer.annotations}
        return Encrypted(answer.ciphertext, answer.key_id.decode(), annotations)

    def decrypt(self, encrypted: Encrypted, uid=None, timeout: float = CALL_SECONDS) -> bytes:
        """Decrypt. key_id and annotation keys may be bytes, to send text that is not UTF-8."""
        pairs = [
            _message("Annotation", key=_bytes(key), value=_bytes(value))
            for key, value in encrypted.annotations.items()
        ]
        answer = self._call(
            "Decrypt",
            timeout,
            ciphertext=encrypted.ciphertext,
            uid=_bytes(uid or str(uuid.uuid4())),
            key_id=_bytes(encrypted.key_id),
            annotations=pairs,
        )
        return answer.plaintext
