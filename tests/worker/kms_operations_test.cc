#include "worker/kms_operations.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/contract/aad.h"
#include "common/contract/annotations.h"
#include "common/openbao/error_class.h"
#include "proto/ipc.pb.h"
#include "tests/worker/fake_transit.h"
#include "tests/worker/rig.h"
#include "worker/limits.h"

namespace baokms::worker {
namespace {

using namespace std::chrono_literals;
using openbao::ErrorClass;

template <typename Value>
using Reply = std::optional<FakeTransit::Reply<Value>>;

// A worker with a token and a table: versions 1 and 2, of which 2 encrypts.
class KmsOperationsTest : public RigTest {
 protected:
  KmsOperationsTest() {
    tokens->Start();
    GiveToken(0, "s.first");
    transit.on_read_key = [](const FakeTransit::Call&) -> Reply<contract::TransitKeyMetadata> {
      return {{ErrorClass::kOk, MakeMetadata(2)}};
    };
    transit.on_read_upsert = [](const FakeTransit::Call&) -> Reply<openbao::UpsertValue> {
      return {{ErrorClass::kOk, {true}}};
    };
    transit.on_encrypt = [](const FakeTransit::Call& call) -> Reply<openbao::EncryptValue> {
      return {{ErrorClass::kOk, {MakeCiphertext(call.version), call.version}}};
    };
    transit.on_decrypt = [](const FakeTransit::Call&) -> Reply<SecretBuffer> {
      return {{ErrorClass::kOk, Secret("kubernetes secret payload")}};
    };
    Publish(MakeTable(1, 2, 2));
  }

  ipc::KeyTableAnswer Publish(const ipc::KeyTable& table) {
    EXPECT_TRUE(kms->OnKeyTable(table).has_value());
    return TakeAnswer<ipc::KeyTableAnswer>();
  }

  ipc::EncryptRequest MakeEncrypt(std::uint64_t id = 1) {
    ipc::EncryptRequest request;
    request.set_id(id);
    request.set_deadline_ns(Soon());
    request.set_table_generation(1);
    request.set_key_id(std::string(Bind(2).key_id.text()));
    request.set_plaintext("kubernetes secret payload");
    return request;
  }

  ipc::EncryptAnswer Encrypt(ipc::EncryptRequest request) {
    EXPECT_TRUE(kms->OnEncrypt(request).has_value());
    return TakeAnswer<ipc::EncryptAnswer>();
  }

  ipc::DecryptAnswer Decrypt(ipc::DecryptRequest request) {
    EXPECT_TRUE(kms->OnDecrypt(request).has_value());
    return TakeAnswer<ipc::DecryptAnswer>();
  }

  ipc::MetadataAnswer ReadMetadata() {
    ipc::MetadataRequest request;
    request.set_id(77);
    request.set_deadline_ns(Soon());
    EXPECT_TRUE(kms->OnMetadata(request).has_value());
    return TakeAnswer<ipc::MetadataAnswer>();
  }
};

// ---- Encrypt.

TEST_F(KmsOperationsTest, EncryptsWithTheActiveKeyAndItsOwnAnnotations) {
  transit.on_encrypt = [](const FakeTransit::Call& call) -> Reply<openbao::EncryptValue> {
    EXPECT_EQ(call.version, 2);
    EXPECT_EQ(call.argument, "kubernetes secret payload");
    EXPECT_EQ(call.aad, contract::AssociatedData(Bind(2)));
    EXPECT_EQ(call.token, "s.first");
    EXPECT_EQ(call.connection, openbao::ConnectionUse::kAny);
    return {{ErrorClass::kOk, {MakeCiphertext(2), 2}}};
  };
  const ipc::EncryptAnswer answer = Encrypt(MakeEncrypt(42));
  EXPECT_EQ(answer.id(), 42U);
  EXPECT_EQ(answer.outcome(), ipc::OUTCOME_OK);
  EXPECT_EQ(answer.ciphertext(), MakeCiphertext(2));
  EXPECT_EQ(answer.key_id(), Bind(2).key_id.text());
  const auto expected = contract::BuildAnnotations(Bind(2), "v0.1.0-test").value();
  ASSERT_EQ(static_cast<std::size_t>(answer.annotations_size()), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(answer.annotations(static_cast<int>(i)).key(), expected[i].key);
    EXPECT_EQ(answer.annotations(static_cast<int>(i)).value(), expected[i].value);
  }
}

TEST_F(KmsOperationsTest, ReadsMetadataItselfBeforeItsFirstEncrypt) {
  const ipc::EncryptAnswer first = Encrypt(MakeEncrypt(1));
  EXPECT_EQ(first.outcome(), ipc::OUTCOME_OK);
  ASSERT_EQ(first.calls_size(), 2);
  EXPECT_EQ(first.calls(0).operation(), ipc::OPERATION_TRANSIT_METADATA_READ);
  EXPECT_EQ(first.calls(1).operation(), ipc::OPERATION_TRANSIT_ENCRYPT);
  EXPECT_EQ(first.stages().openbao_us(), 600U);
  EXPECT_EQ(first.stages().connect_us(), 40U);
  const ipc::EncryptAnswer second = Encrypt(MakeEncrypt(2));
  EXPECT_EQ(second.calls_size(), 1);
  EXPECT_TRUE(Publish(MakeTable(2, 2, 2)).active_verified());
}

TEST_F(KmsOperationsTest, DoesNotEncryptWithAKeyThatMetadataDoesNotConfirm) {
  transit.on_read_key = [](const FakeTransit::Call&) -> Reply<contract::TransitKeyMetadata> {
    contract::TransitKeyMetadata other = MakeMetadata(2);
    other.versions[1].created_at_unix += 1;
    return {{ErrorClass::kOk, other}};
  };
  EXPECT_EQ(Encrypt(MakeEncrypt(1)).outcome(), ipc::OUTCOME_BAD_ANSWER);
  EXPECT_EQ(Encrypt(MakeEncrypt(2)).outcome(), ipc::OUTCOME_BAD_ANSWER);
  EXPECT_EQ(transit.Count(ipc::OPERATION_TRANSIT_METADATA_READ), 1U);
  EXPECT_EQ(transit.Count(ipc::OPERATION_TRANSIT_ENCRYPT), 0U);
}

TEST_F(KmsOperationsTest, DoesNotEncryptWithAVersionThatDoesNotExistYet) {
  Publish(MakeTable(2, 3, 3));
  ipc::EncryptRequest request = MakeEncrypt();
  request.set_table_generation(2);
  request.set_key_id(std::string(Bind(3).key_id.text()));
  EXPECT_EQ(Encrypt(request).outcome(), ipc::OUTCOME_BAD_ANSWER);
  EXPECT_EQ(transit.Count(ipc::OPERATION_TRANSIT_ENCRYPT), 0U);
}

TEST_F(KmsOperationsTest, ReportsMetadataThatCannotBeRead) {
  transit.on_read_key = [](const FakeTransit::Call&) -> Reply<contract::TransitKeyMetadata> {
    return {{ErrorClass::kSealed, {}}};
  };
  EXPECT_EQ(Encrypt(MakeEncrypt()).outcome(), ipc::OUTCOME_SEALED);
}

TEST_F(KmsOperationsTest, RefusesEncryptRequestsBeforeAnyCall) {
  struct Row {
    const char* name;
    std::function<void(ipc::EncryptRequest&)> spoil;
    ipc::Outcome outcome;
  };

  const std::vector<Row> rows = {
      {"malformed key_id", [](auto& request) { request.set_key_id("obk2.x"); },
       ipc::OUTCOME_KEY_ID_MALFORMED},
      {"key that is not active",
       [](auto& request) { request.set_key_id(std::string(Bind(1).key_id.text())); },
       ipc::OUTCOME_STALE_TABLE},
      {"table of the future", [](auto& request) { request.set_table_generation(2); },
       ipc::OUTCOME_STALE_TABLE},
      {"no plaintext", [](auto& request) { request.clear_plaintext(); },
       ipc::OUTCOME_INVALID_REQUEST},
      {"plaintext too long", [](auto& request) { request.set_plaintext(std::string(732, 'x')); },
       ipc::OUTCOME_REQUEST_LIMIT},
      {"deadline passed", [](auto& request) { request.set_deadline_ns(1); }, ipc::OUTCOME_TIMEOUT},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    ipc::EncryptRequest request = MakeEncrypt();
    row.spoil(request);
    const ipc::EncryptAnswer answer = Encrypt(request);
    EXPECT_EQ(answer.outcome(), row.outcome);
    EXPECT_EQ(answer.annotations_size(), 0);
    EXPECT_TRUE(answer.ciphertext().empty());
  }
  EXPECT_TRUE(transit.started().empty());
}

TEST_F(KmsOperationsTest, LongestPlaintextIsEncrypted) {
  ipc::EncryptRequest request = MakeEncrypt();
  request.set_plaintext(std::string(731, 'x'));
  EXPECT_EQ(Encrypt(request).outcome(), ipc::OUTCOME_OK);
}

TEST_F(KmsOperationsTest, JudgesWhatOpenBaoMade) {
  struct Row {
    const char* name;
    openbao::EncryptValue value;
    ipc::Outcome outcome;
  };

  const std::vector<Row> rows = {
      {"version not said", {MakeCiphertext(2), std::nullopt}, ipc::OUTCOME_OK},
      {"version 0", {MakeCiphertext(2), 0}, ipc::OUTCOME_OK},
      {"other version said", {MakeCiphertext(2), 1}, ipc::OUTCOME_BAD_ANSWER},
      {"other version inside", {MakeCiphertext(1), 2}, ipc::OUTCOME_BAD_ANSWER},
      {"nothing", {"", 2}, ipc::OUTCOME_BAD_ANSWER},
      {"no prefix", {"dmF1bHQ=", 2}, ipc::OUTCOME_BAD_ANSWER},
      {"too long", {"vault:v2:" + std::string(1016, 'A'), 2}, ipc::OUTCOME_RESPONSE_LIMIT},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    transit.on_encrypt = [&row](const FakeTransit::Call&) -> Reply<openbao::EncryptValue> {
      return {{ErrorClass::kOk, row.value}};
    };
    const ipc::EncryptAnswer answer = Encrypt(MakeEncrypt());
    EXPECT_EQ(answer.outcome(), row.outcome);
    EXPECT_EQ(answer.ciphertext().empty(), row.outcome != ipc::OUTCOME_OK);
  }
}

TEST_F(KmsOperationsTest, WipesThePlaintextOfARequest) {
  ipc::EncryptRequest request = MakeEncrypt();
  ASSERT_TRUE(kms->OnEncrypt(request).has_value());
  EXPECT_EQ(request.plaintext(), std::string(25, '\0'));
  ipc::EncryptRequest refused = MakeEncrypt(2);
  refused.set_table_generation(9);
  ASSERT_TRUE(kms->OnEncrypt(refused).has_value());
  EXPECT_EQ(refused.plaintext(), std::string(25, '\0'));
}

// ---- Decrypt.

TEST_F(KmsOperationsTest, DecryptsEveryKeyOfTheTableWithoutMetadata) {
  for (const std::int64_t version : {1, 2}) {
    transit.on_decrypt = [version](const FakeTransit::Call& call) -> Reply<SecretBuffer> {
      EXPECT_EQ(call.argument, MakeCiphertext(version));
      EXPECT_EQ(call.aad, contract::AssociatedData(Bind(version)));
      return {{ErrorClass::kOk, Secret("payload")}};
    };
    const ipc::DecryptAnswer answer = Decrypt(MakeDecrypt(5, version));
    EXPECT_EQ(answer.id(), 5U);
    EXPECT_EQ(answer.outcome(), ipc::OUTCOME_OK);
    EXPECT_EQ(answer.plaintext(), "payload");
  }
  EXPECT_EQ(transit.Count(ipc::OPERATION_TRANSIT_METADATA_READ), 0U);
}

TEST_F(KmsOperationsTest, ChecksADecryptRequestInTheOrderOfTheContract) {
  struct Row {
    const char* name;
    std::function<void(ipc::DecryptRequest&)> spoil;
    ipc::Outcome outcome;
  };

  const auto break_annotations = [](ipc::DecryptRequest& request) {
    request.clear_annotations();
  };
  const std::vector<Row> rows = {
      {"no ciphertext", [](auto& request) { request.clear_ciphertext(); },
       ipc::OUTCOME_INVALID_REQUEST},
      {"ciphertext too long, key_id malformed",
       [](auto& request) {
         request.set_ciphertext(std::string(1024, 'x'));
         request.set_key_id("?");
       },
       ipc::OUTCOME_REQUEST_LIMIT},
      {"key_id too long", [](auto& request) { request.set_key_id(std::string(1024, 'x')); },
       ipc::OUTCOME_REQUEST_LIMIT},
      {"annotations too large",
       [](auto& request) { request.mutable_annotations(0)->set_value(std::string(32768, 'x')); },
       ipc::OUTCOME_REQUEST_LIMIT},
      {"annotations not UTF-8, key_id malformed",
       [](auto& request) {
         request.mutable_annotations(0)->set_value("\xff");
         request.set_key_id("?");
       },
       ipc::OUTCOME_ANNOTATIONS_INVALID},
      {"key_id malformed, annotations broken",
       [&](auto& request) {
         request.set_key_id("obk2.short");
         break_annotations(request);
       },
       ipc::OUTCOME_KEY_ID_MALFORMED},
      {"key_id unknown, annotations broken",
       [&](auto& request) {
         request.set_key_id(std::string(Bind(9).key_id.text()));
         break_annotations(request);
       },
       ipc::OUTCOME_KEY_ID_UNKNOWN},
      {"annotations broken, ciphertext of another version",
       [&](auto& request) {
         break_annotations(request);
         request.set_ciphertext(MakeCiphertext(1));
       },
       ipc::OUTCOME_ANNOTATIONS_INVALID},
      {"annotations of another key",
       [](auto& request) { *request.mutable_annotations() = MakeDecrypt(1, 1).annotations(); },
       ipc::OUTCOME_ANNOTATIONS_MISMATCH},
      {"ciphertext of another version",
       [](auto& request) { request.set_ciphertext(MakeCiphertext(1)); },
       ipc::OUTCOME_ANNOTATIONS_MISMATCH},
      {"ciphertext without prefix", [](auto& request) { request.set_ciphertext("AAAA"); },
       ipc::OUTCOME_ANNOTATIONS_MISMATCH},
      {"annotation key repeated",
       [](auto& request) { *request.add_annotations() = request.annotations(0); },
       ipc::OUTCOME_ANNOTATIONS_INVALID},
      {"deadline passed", [](auto& request) { request.set_deadline_ns(1); }, ipc::OUTCOME_TIMEOUT},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    ipc::DecryptRequest request = MakeDecrypt(1, 2);
    row.spoil(request);
    const ipc::DecryptAnswer answer = Decrypt(request);
    EXPECT_EQ(answer.outcome(), row.outcome);
    EXPECT_TRUE(answer.plaintext().empty());
  }
  EXPECT_TRUE(transit.started().empty());
}

TEST_F(KmsOperationsTest, EmptyOrImpossiblePlaintextIsABadAnswer) {
  transit.on_decrypt = [](const FakeTransit::Call&) -> Reply<SecretBuffer> {
    return {{ErrorClass::kOk, SecretBuffer()}};
  };
  EXPECT_EQ(Decrypt(MakeDecrypt(1, 2)).outcome(), ipc::OUTCOME_BAD_ANSWER);
  transit.on_decrypt = [](const FakeTransit::Call&) -> Reply<SecretBuffer> {
    return {{ErrorClass::kOk, Secret(std::string(2000, 'x'))}};
  };
  const ipc::DecryptAnswer answer = Decrypt(MakeDecrypt(1, 2));
  EXPECT_EQ(answer.outcome(), ipc::OUTCOME_BAD_ANSWER);
  EXPECT_TRUE(answer.plaintext().empty());
}

TEST_F(KmsOperationsTest, VerificationUsesAConnectionOfItsOwn) {
  transit.on_decrypt = [](const FakeTransit::Call& call) -> Reply<SecretBuffer> {
    EXPECT_EQ(call.connection, openbao::ConnectionUse::kFresh);
    return {{ErrorClass::kOk, Secret("payload")}};
  };
  ipc::DecryptRequest request = MakeDecrypt(1, 2);
  request.set_fresh_connection(true);
  EXPECT_EQ(Decrypt(request).outcome(), ipc::OUTCOME_OK);
}

TEST_F(KmsOperationsTest, PassesOnHowOpenBaoRefused) {
  struct Row {
    ErrorClass error_class;
    ipc::Outcome outcome;
  };

  for (const Row& row : {Row{ErrorClass::kInvalidRequest, ipc::OUTCOME_INVALID_REQUEST},
                         Row{ErrorClass::kDecryptFailed, ipc::OUTCOME_DECRYPT_FAILED},
                         Row{ErrorClass::kNotFound, ipc::OUTCOME_NOT_FOUND},
                         Row{ErrorClass::kRateLimited, ipc::OUTCOME_RATE_LIMITED},
                         Row{ErrorClass::kSealed, ipc::OUTCOME_SEALED},
                         Row{ErrorClass::kTlsFailed, ipc::OUTCOME_TLS_FAILED},
                         Row{ErrorClass::kUndecodable, ipc::OUTCOME_UNDECODABLE},
                         Row{ErrorClass::kTimeout, ipc::OUTCOME_TIMEOUT}}) {
    transit.on_decrypt = [&row](const FakeTransit::Call&) -> Reply<SecretBuffer> {
      return {{row.error_class, {}}};
    };
    EXPECT_EQ(Decrypt(MakeDecrypt(1, 2)).outcome(), row.outcome);
  }
  EXPECT_EQ(logins.size(), 1U);
}

// ---- Tokens under requests.

TEST_F(KmsOperationsTest, RepeatsOnceWithAnotherTokenAfter401) {
  transit.on_decrypt = [](const FakeTransit::Call& call) -> Reply<SecretBuffer> {
    if (call.token == "s.first") {
      return {{ErrorClass::kUnauthenticated, {}}};
    }
    return {{ErrorClass::kOk, Secret("payload")}};
  };
  ipc::DecryptRequest request = MakeDecrypt(1, 2);
  ASSERT_TRUE(kms->OnDecrypt(request).has_value());
  GiveToken(1, "s.second");
  const auto answer = TakeAnswer<ipc::DecryptAnswer>();
  EXPECT_EQ(answer.outcome(), ipc::OUTCOME_OK);
  ASSERT_EQ(answer.calls_size(), 2);
  EXPECT_EQ(answer.calls(0).outcome(), ipc::OUTCOME_UNAUTHENTICATED);
  EXPECT_EQ(answer.calls(1).outcome(), ipc::OUTCOME_OK);
  EXPECT_EQ(answer.calls(1).request_id(), "request-1");
  EXPECT_GT(answer.stages().token_wait_us(), 0U);
}

TEST_F(KmsOperationsTest, DoesNotRepeatTwice) {
  transit.on_decrypt = [](const FakeTransit::Call&) -> Reply<SecretBuffer> {
    return {{ErrorClass::kUnauthenticated, {}}};
  };
  ipc::DecryptRequest request = MakeDecrypt(1, 2);
  ASSERT_TRUE(kms->OnDecrypt(request).has_value());
  GiveToken(1, "s.second");
  const auto answer = TakeAnswer<ipc::DecryptAnswer>();
  EXPECT_EQ(answer.outcome(), ipc::OUTCOME_UNAUTHENTICATED);
  EXPECT_EQ(answer.calls_size(), 2);
  EXPECT_EQ(tokens->Take().token, nullptr);
  EXPECT_EQ(Decrypt(MakeDecrypt(2, 2)).outcome(), ipc::OUTCOME_AUTH_FAILED);
  EXPECT_EQ(logins.size(), 2U);
}

TEST_F(KmsOperationsTest, PolicyDenialKeepsTheTokenAndIsNotRepeated) {
  transit.on_decrypt = [](const FakeTransit::Call&) -> Reply<SecretBuffer> {
    return {{ErrorClass::kPermissionDenied, {}}};
  };
  transit.on_renew = [](const FakeTransit::Call&) -> Reply<openbao::AuthValue> {
    return {{ErrorClass::kOk, {SecretBuffer(), 1800, true}}};
  };
  for (const std::uint64_t id : {1U, 2U, 3U}) {
    const ipc::DecryptAnswer answer = Decrypt(MakeDecrypt(id, 2));
    EXPECT_EQ(answer.outcome(), ipc::OUTCOME_PERMISSION_DENIED);
    EXPECT_EQ(answer.calls_size(), 1);
  }
  EXPECT_EQ(transit.Count(ipc::OPERATION_TOKEN_RENEW_SELF), 1U);
  EXPECT_EQ(logins.size(), 1U);
  EXPECT_NE(tokens->Take().token, nullptr);
}

TEST_F(KmsOperationsTest, WaitsForTheFirstTokenWithinTheDeadline) {
  tokens->NoteRejection(1, Rejection::kUnauthenticated);
  ipc::DecryptRequest first = MakeDecrypt(1, 2);
  first.set_deadline_ns(Soon(20ms));
  EXPECT_EQ(Decrypt(first).outcome(), ipc::OUTCOME_TIMEOUT);
  ipc::DecryptRequest second = MakeDecrypt(2, 2);
  ASSERT_TRUE(kms->OnDecrypt(second).has_value());
  GiveToken(1, "s.second");
  EXPECT_EQ(TakeAnswer<ipc::DecryptAnswer>().outcome(), ipc::OUTCOME_OK);
}

// ---- Metadata and probes.

TEST_F(KmsOperationsTest, ReadsBothHalvesOfMetadata) {
  const ipc::MetadataAnswer answer = ReadMetadata();
  EXPECT_EQ(answer.id(), 77U);
  EXPECT_EQ(answer.outcome(), ipc::OUTCOME_OK);
  EXPECT_EQ(answer.upsert_outcome(), ipc::OUTCOME_OK);
  EXPECT_TRUE(answer.disable_upsert());
  EXPECT_EQ(answer.type(), "aes256-gcm96");
  EXPECT_EQ(answer.latest_version(), 2);
  ASSERT_EQ(answer.versions_size(), 2);
  EXPECT_EQ(answer.versions(1).version(), 2U);
  EXPECT_EQ(answer.versions(1).created_unix(), kCreated + 2);
  EXPECT_FALSE(answer.exportable());
  EXPECT_TRUE(answer.supports_decryption());
  EXPECT_EQ(answer.calls_size(), 2);
  EXPECT_EQ(Encrypt(MakeEncrypt()).calls_size(), 1);  // it was remembered
}

TEST_F(KmsOperationsTest, HalvesOfMetadataFailApart) {
  transit.on_read_upsert = [](const FakeTransit::Call&) -> Reply<openbao::UpsertValue> {
    return {{ErrorClass::kNotFound, {}}};
  };
  ipc::MetadataAnswer answer = ReadMetadata();
  EXPECT_EQ(answer.outcome(), ipc::OUTCOME_OK);
  EXPECT_EQ(answer.upsert_outcome(), ipc::OUTCOME_NOT_FOUND);
  EXPECT_FALSE(answer.disable_upsert());
  transit.on_read_upsert = [](const FakeTransit::Call&) -> Reply<openbao::UpsertValue> {
    return {{ErrorClass::kOk, {true}}};
  };
  transit.on_read_key = [](const FakeTransit::Call&) -> Reply<contract::TransitKeyMetadata> {
    return {{ErrorClass::kUnavailable, {}}};
  };
  answer = ReadMetadata();
  EXPECT_EQ(answer.outcome(), ipc::OUTCOME_UNAVAILABLE);
  EXPECT_EQ(answer.upsert_outcome(), ipc::OUTCOME_OK);
  EXPECT_EQ(answer.versions_size(), 0);
}

TEST_F(KmsOperationsTest, ReportsEveryFlagOfTheProfile) {
  transit.on_read_key = [](const FakeTransit::Call&) -> Reply<contract::TransitKeyMetadata> {
    contract::TransitKeyMetadata worst;  // every flag as what would be refused
    worst.latest_version = 1;
    return {{ErrorClass::kOk, worst}};
  };
  const ipc::MetadataAnswer answer = ReadMetadata();
  EXPECT_TRUE(answer.derived() && answer.convergent_encryption() && answer.exportable() &&
              answer.allow_plaintext_backup() && answer.deletion_allowed() &&
              answer.soft_deleted());
  EXPECT_FALSE(answer.supports_encryption() || answer.supports_decryption());
}

TEST_F(KmsOperationsTest, ProbesWithAnAadOfItsOwn) {
  transit.on_encrypt = [](const FakeTransit::Call& call) -> Reply<openbao::EncryptValue> {
    EXPECT_EQ(call.aad, contract::kStatusProbeAssociatedData);
    EXPECT_EQ(call.version, 3);
    return {{ErrorClass::kOk, {MakeCiphertext(3), 3}}};
  };
  ipc::ProbeEncryptRequest encrypt;
  encrypt.set_id(1);
  encrypt.set_deadline_ns(Soon());
  encrypt.set_version(3);
  encrypt.set_plaintext("32 random bytes");
  ASSERT_TRUE(kms->OnProbeEncrypt(encrypt).has_value());
  const auto sealed = TakeAnswer<ipc::ProbeEncryptAnswer>();
  EXPECT_EQ(sealed.outcome(), ipc::OUTCOME_OK);

  transit.on_decrypt = [](const FakeTransit::Call& call) -> Reply<SecretBuffer> {
    EXPECT_EQ(call.aad, contract::kStatusProbeAssociatedData);
    return {{ErrorClass::kOk, Secret("32 random bytes")}};
  };
  ipc::ProbeDecryptRequest decrypt;
  decrypt.set_id(2);
  decrypt.set_deadline_ns(Soon());
  decrypt.set_version(3);
  decrypt.set_ciphertext(sealed.ciphertext());
  ASSERT_TRUE(kms->OnProbeDecrypt(decrypt).has_value());
  EXPECT_EQ(TakeAnswer<ipc::ProbeDecryptAnswer>().plaintext(), "32 random bytes");

  decrypt.set_version(2);
  ASSERT_TRUE(kms->OnProbeDecrypt(decrypt).has_value());
  EXPECT_EQ(TakeAnswer<ipc::ProbeDecryptAnswer>().outcome(), ipc::OUTCOME_ANNOTATIONS_MISMATCH);
  encrypt.set_version(0);
  ASSERT_TRUE(kms->OnProbeEncrypt(encrypt).has_value());
  EXPECT_EQ(TakeAnswer<ipc::ProbeEncryptAnswer>().outcome(), ipc::OUTCOME_INVALID_REQUEST);
}

// ---- Admission.

TEST_F(KmsOperationsTest, CancelledRequestsAreAnsweredOnceAndLeaveNoCall) {
  transit.on_decrypt = nullptr;
  ipc::DecryptRequest request = MakeDecrypt(9, 2);
  ASSERT_TRUE(kms->OnDecrypt(request).has_value());
  EXPECT_EQ(transit.open(), 1U);
  ipc::CancelRequest cancel;
  cancel.set_id(9);
  ASSERT_TRUE(kms->OnCancel(cancel).has_value());
  EXPECT_EQ(TakeAnswer<ipc::DecryptAnswer>().outcome(), ipc::OUTCOME_CANCELED);
  EXPECT_EQ(transit.open(), 0U);
  EXPECT_TRUE(kms->OnCancel(cancel).has_value());
  EXPECT_TRUE(answers.empty());
}

TEST_F(KmsOperationsTest, CancelledMetadataSaysSoOfBothHalves) {
  transit.on_read_key = nullptr;
  ipc::MetadataRequest request;
  request.set_id(3);
  request.set_deadline_ns(Soon());
  ASSERT_TRUE(kms->OnMetadata(request).has_value());
  ipc::CancelRequest cancel;
  cancel.set_id(3);
  ASSERT_TRUE(kms->OnCancel(cancel).has_value());
  const auto answer = TakeAnswer<ipc::MetadataAnswer>();
  EXPECT_EQ(answer.outcome(), ipc::OUTCOME_CANCELED);
  EXPECT_EQ(answer.upsert_outcome(), ipc::OUTCOME_CANCELED);
}

TEST_F(KmsOperationsTest, IdsInUseAndIdZeroAreBreaches) {
  transit.on_decrypt = nullptr;
  ipc::DecryptRequest request = MakeDecrypt(4, 2);
  ASSERT_TRUE(kms->OnDecrypt(request).has_value());
  ipc::EncryptRequest same_id = MakeEncrypt(4);
  EXPECT_EQ(kms->OnEncrypt(same_id).error().code(), ErrorCode::kProtocolViolation);
  ipc::DecryptRequest zero = MakeDecrypt(0, 2);
  EXPECT_EQ(kms->OnDecrypt(zero).error().code(), ErrorCode::kProtocolViolation);
}

TEST_F(KmsOperationsTest, RequestsBeyondTheLimitAreRefusedAndTheirPlaceIsGivenBack) {
  transit.on_decrypt = nullptr;
  ipc::DecryptRequest request = MakeDecrypt(1, 2);
  for (std::uint64_t id = 1; id <= kMaxOperations; ++id) {
    request.set_id(id);
    ASSERT_TRUE(kms->OnDecrypt(request).has_value());
  }
  EXPECT_TRUE(answers.empty());
  EXPECT_EQ(Encrypt(MakeEncrypt(kMaxOperations + 1)).outcome(), ipc::OUTCOME_OVERLOADED);
  ipc::CancelRequest cancel;
  cancel.set_id(1);
  ASSERT_TRUE(kms->OnCancel(cancel).has_value());
  answers.clear();
  EXPECT_EQ(Encrypt(MakeEncrypt(kMaxOperations + 2)).outcome(), ipc::OUTCOME_OK);
}

TEST_F(KmsOperationsTest, DeadlinesAreBounded) {
  BootTime deadline{};
  transit.on_decrypt = [&deadline](const FakeTransit::Call& call) -> Reply<SecretBuffer> {
    deadline = call.deadline;
    return {{ErrorClass::kOk, Secret("payload")}};
  };
  ipc::DecryptRequest request = MakeDecrypt(1, 2);
  request.set_deadline_ns(INT64_MAX);
  EXPECT_EQ(Decrypt(request).outcome(), ipc::OUTCOME_OK);
  EXPECT_LE(deadline, BootNow() + kLongestOperation);
}

TEST_F(KmsOperationsTest, RefusedTableKeepsTheOneInForce) {
  const ipc::KeyTableAnswer refused = Publish(MakeTable(1, 3, 3));
  EXPECT_EQ(refused.generation(), 1U);
  EXPECT_EQ(refused.outcome(), ipc::OUTCOME_STALE_TABLE);
  EXPECT_FALSE(refused.active_verified());
  EXPECT_EQ(Decrypt(MakeDecrypt(1, 2)).outcome(), ipc::OUTCOME_OK);
}

}  // namespace
}  // namespace baokms::worker
