#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/contract/key_binding.h"
#include "common/openbao/api.h"
#include "proto/ipc.pb.h"
#include "tests/base/freed_memory.h"
#include "tests/worker/fake_transit.h"
#include "tests/worker/kms_fixture.h"
#include "tests/worker/worker_fixture.h"
#include "worker/kms_operations.h"
#include "worker/operations.h"

namespace baokms::worker {
namespace {

using namespace std::chrono_literals;

using DecryptOperationTest = KmsTest;

TEST_F(DecryptOperationTest, DecryptsEveryKeyOfTheTableWithoutMetadata) {
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

TEST_F(DecryptOperationTest, ChecksADecryptRequestInTheOrderOfTheContract) {
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

TEST_F(DecryptOperationTest, EmptyOrImpossiblePlaintextIsABadAnswer) {
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

TEST_F(DecryptOperationTest, LeavesNoPlaintextInFreedMemory) {
  bool answered = false;
  KmsOperations quiet({*tokens, transit}, GoldenIdentity(), "v0.1.0-test",
                      [&answered](ipc::MessageType type, const google::protobuf::MessageLite&) {
                        answered = answered || type == ipc::MessageType::kDecryptAnswer;
                      });
  ASSERT_TRUE(quiet.OnKeyTable(MakeTable(1, 2, 2)).has_value());
  const FreedMemory freed("kubernetes secret payload");  // what OpenBao answers
  ipc::DecryptRequest request = MakeDecrypt(1, 2);
  ASSERT_TRUE(quiet.Admit<DecryptOperation>(request).has_value());
  RunUntil([&answered] { return answered; });
  EXPECT_EQ(freed.found(), 0U);
}

TEST_F(DecryptOperationTest, VerificationUsesAConnectionOfItsOwn) {
  transit.on_decrypt = [](const FakeTransit::Call& call) -> Reply<SecretBuffer> {
    EXPECT_EQ(call.connection, openbao::ConnectionUse::kFresh);
    return {{ErrorClass::kOk, Secret("payload")}};
  };
  ipc::DecryptRequest request = MakeDecrypt(1, 2);
  request.set_fresh_connection(true);
  EXPECT_EQ(Decrypt(request).outcome(), ipc::OUTCOME_OK);
}

TEST_F(DecryptOperationTest, PassesOnHowOpenBaoRefused) {
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

}  // namespace
}  // namespace baokms::worker
