#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/contract/annotations.h"
#include "common/contract/key_binding.h"
#include "common/openbao/api.h"
#include "proto/ipc.pb.h"
#include "tests/worker/fake_transit.h"
#include "tests/worker/kms_fixture.h"
#include "tests/worker/worker_fixture.h"
#include "worker/operations.h"

namespace baokms::worker {
namespace {

using namespace std::chrono_literals;

using EncryptOperationTest = KmsTest;

TEST_F(EncryptOperationTest, EncryptsWithTheActiveKeyAndItsOwnAnnotations) {
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

TEST_F(EncryptOperationTest, ReadsMetadataItselfBeforeItsFirstEncrypt) {
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

TEST_F(EncryptOperationTest, DoesNotEncryptWithAKeyThatMetadataDoesNotConfirm) {
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

TEST_F(EncryptOperationTest, DoesNotEncryptWithAVersionThatDoesNotExistYet) {
  Publish(MakeTable(2, 3, 3));
  ipc::EncryptRequest request = MakeEncrypt();
  request.set_table_generation(2);
  request.set_key_id(std::string(Bind(3).key_id.text()));
  EXPECT_EQ(Encrypt(request).outcome(), ipc::OUTCOME_BAD_ANSWER);
  EXPECT_EQ(transit.Count(ipc::OPERATION_TRANSIT_ENCRYPT), 0U);
}

TEST_F(EncryptOperationTest, ReportsMetadataThatCannotBeRead) {
  transit.on_read_key = [](const FakeTransit::Call&) -> Reply<contract::TransitKeyMetadata> {
    return {{ErrorClass::kSealed, {}}};
  };
  EXPECT_EQ(Encrypt(MakeEncrypt()).outcome(), ipc::OUTCOME_SEALED);
}

TEST_F(EncryptOperationTest, RefusesEncryptRequestsBeforeAnyCall) {
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

TEST_F(EncryptOperationTest, LongestPlaintextIsEncrypted) {
  ipc::EncryptRequest request = MakeEncrypt();
  request.set_plaintext(std::string(731, 'x'));
  EXPECT_EQ(Encrypt(request).outcome(), ipc::OUTCOME_OK);
}

TEST_F(EncryptOperationTest, ClassifiesWhatOpenBaoMade) {
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

TEST_F(EncryptOperationTest, WipesThePlaintextOfARequest) {
  ipc::EncryptRequest request = MakeEncrypt();
  ASSERT_TRUE(kms->Admit<EncryptOperation>(request).has_value());
  EXPECT_EQ(request.plaintext(), std::string(25, '\0'));
  ipc::EncryptRequest refused = MakeEncrypt(2);
  refused.set_table_generation(9);
  ASSERT_TRUE(kms->Admit<EncryptOperation>(refused).has_value());
  EXPECT_EQ(refused.plaintext(), std::string(25, '\0'));
}

}  // namespace
}  // namespace baokms::worker
