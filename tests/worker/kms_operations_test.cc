#include "worker/kms_operations.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/contract/key_binding.h"
#include "common/contract/limits.h"
#include "ipc/key_versions.h"
#include "proto/ipc.pb.h"
#include "tests/worker/fake_transit.h"
#include "tests/worker/kms_fixture.h"
#include "tests/worker/worker_fixture.h"
#include "worker/limits.h"
#include "worker/operations.h"

namespace baokms::worker {
namespace {

using namespace std::chrono_literals;

using KmsOperationsTest = KmsTest;

TEST_F(KmsOperationsTest, ReadsBothHalvesOfMetadata) {
  const ipc::MetadataAnswer answer = ReadMetadata();
  EXPECT_EQ(answer.id(), 77U);
  EXPECT_EQ(answer.outcome(), ipc::OUTCOME_OK);
  EXPECT_EQ(answer.upsert_outcome(), ipc::OUTCOME_OK);
  EXPECT_TRUE(answer.disable_upsert());
  EXPECT_EQ(answer.type(), "aes256-gcm96");
  EXPECT_EQ(answer.latest_version(), 2);
  ASSERT_EQ(answer.versions().version_size(), 2);
  EXPECT_EQ(answer.versions().version(1), 2U);
  EXPECT_EQ(answer.versions().created_unix(1), kCreated + 2);
  EXPECT_FALSE(answer.exportable());
  EXPECT_TRUE(answer.supports_decryption());
  EXPECT_EQ(answer.calls_size(), 2);
  EXPECT_EQ(Encrypt(MakeEncrypt()).calls_size(), 1);  // it was remembered
}

TEST_F(KmsOperationsTest, TellsMoreVersionsThanOneDatagramHolds) {
  constexpr std::int64_t kLatest = std::int64_t{contract::kMaxKeyRecords} + 1;
  transit.on_read_key = [](const FakeTransit::Call&) -> Reply<contract::TransitKeyMetadata> {
    return {{ErrorClass::kOk, MakeMetadata(kLatest)}};
  };
  ipc::MetadataRequest request;
  request.set_id(77);
  request.set_deadline_ns(Soon());
  ASSERT_TRUE(kms->Admit<MetadataOperation>(request).has_value());
  RunUntil([this] { return answers.size() == 2; });
  ASSERT_EQ(answers.size(), 2U);
  ipc::MetadataParts parts;
  ipc::MetadataAnswer answer;
  ASSERT_TRUE(answer.ParseFromString(answers[0].second));
  EXPECT_EQ(parts.Join(answer).value(), ipc::MetadataParts::Progress::kMoreToCome);
  ASSERT_TRUE(answer.ParseFromString(answers[1].second));
  EXPECT_EQ(parts.Join(answer).value(), ipc::MetadataParts::Progress::kComplete);
  EXPECT_EQ(answer.latest_version(), kLatest);
  ASSERT_EQ(answer.versions().version_size(), kLatest);
  EXPECT_EQ(answer.versions().version(static_cast<int>(kLatest) - 1), kLatest);
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
  EXPECT_EQ(answer.versions().version_size(), 0);
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
  ASSERT_TRUE(kms->Admit<ProbeEncryptOperation>(encrypt).has_value());
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
  ASSERT_TRUE(kms->Admit<ProbeDecryptOperation>(decrypt).has_value());
  EXPECT_EQ(TakeAnswer<ipc::ProbeDecryptAnswer>().plaintext(), "32 random bytes");

  decrypt.set_version(2);
  ASSERT_TRUE(kms->Admit<ProbeDecryptOperation>(decrypt).has_value());
  EXPECT_EQ(TakeAnswer<ipc::ProbeDecryptAnswer>().outcome(), ipc::OUTCOME_ANNOTATIONS_MISMATCH);
  encrypt.set_version(0);
  ASSERT_TRUE(kms->Admit<ProbeEncryptOperation>(encrypt).has_value());
  EXPECT_EQ(TakeAnswer<ipc::ProbeEncryptAnswer>().outcome(), ipc::OUTCOME_INVALID_REQUEST);
}

TEST_F(KmsOperationsTest, CancelledRequestsAreAnsweredOnceAndLeaveNoCall) {
  transit.on_decrypt = nullptr;
  ipc::DecryptRequest request = MakeDecrypt(9, 2);
  ASSERT_TRUE(kms->Admit<DecryptOperation>(request).has_value());
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
  ASSERT_TRUE(kms->Admit<MetadataOperation>(request).has_value());
  ipc::CancelRequest cancel;
  cancel.set_id(3);
  ASSERT_TRUE(kms->OnCancel(cancel).has_value());
  const auto answer = TakeAnswer<ipc::MetadataAnswer>();
  EXPECT_EQ(answer.outcome(), ipc::OUTCOME_CANCELED);
  EXPECT_EQ(answer.upsert_outcome(), ipc::OUTCOME_CANCELED);
}

TEST_F(KmsOperationsTest, IdsInUseAndIdZeroAreViolations) {
  transit.on_decrypt = nullptr;
  ipc::DecryptRequest request = MakeDecrypt(4, 2);
  ASSERT_TRUE(kms->Admit<DecryptOperation>(request).has_value());
  ipc::EncryptRequest same_id = MakeEncrypt(4);
  EXPECT_EQ(kms->Admit<EncryptOperation>(same_id).error().code(), ErrorCode::kProtocolViolation);
  ipc::DecryptRequest zero = MakeDecrypt(0, 2);
  EXPECT_EQ(kms->Admit<DecryptOperation>(zero).error().code(), ErrorCode::kProtocolViolation);
}

TEST_F(KmsOperationsTest, RequestsBeyondTheLimitAreRefusedAndTheirPlaceIsGivenBack) {
  transit.on_decrypt = nullptr;
  ipc::DecryptRequest request = MakeDecrypt(1, 2);
  for (std::uint64_t id = 1; id <= kMaxOperations; ++id) {
    request.set_id(id);
    ASSERT_TRUE(kms->Admit<DecryptOperation>(request).has_value());
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
  EXPECT_LE(deadline, BootNow() + kMaxOperationDuration);
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
