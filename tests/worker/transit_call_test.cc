#include "worker/transit_call.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/openbao/api.h"
#include "proto/ipc.pb.h"
#include "tests/worker/fake_transit.h"
#include "tests/worker/kms_fixture.h"
#include "tests/worker/worker_fixture.h"
#include "worker/operations.h"
#include "worker/token_state_machine.h"

namespace baokms::worker {
namespace {

using namespace std::chrono_literals;

using TransitCallTest = KmsTest;

TEST_F(TransitCallTest, RepeatsOnceWithAnotherTokenAfter401) {
  transit.on_decrypt = [](const FakeTransit::Call& call) -> Reply<SecretBuffer> {
    if (call.token == "s.first") {
      return {{ErrorClass::kUnauthenticated, {}}};
    }
    return {{ErrorClass::kOk, Secret("payload")}};
  };
  ipc::DecryptRequest request = MakeDecrypt(1, 2);
  ASSERT_TRUE(kms->Admit<DecryptOperation>(request).has_value());
  GiveToken(1, "s.second");
  const auto answer = TakeAnswer<ipc::DecryptAnswer>();
  EXPECT_EQ(answer.outcome(), ipc::OUTCOME_OK);
  ASSERT_EQ(answer.calls_size(), 2);
  EXPECT_EQ(answer.calls(0).outcome(), ipc::OUTCOME_UNAUTHENTICATED);
  EXPECT_EQ(answer.calls(1).outcome(), ipc::OUTCOME_OK);
  EXPECT_EQ(answer.calls(1).request_id(), "request-1");
  EXPECT_GT(answer.stages().token_wait_us(), 0U);
}

TEST_F(TransitCallTest, DoesNotRepeatTwice) {
  transit.on_decrypt = [](const FakeTransit::Call&) -> Reply<SecretBuffer> {
    return {{ErrorClass::kUnauthenticated, {}}};
  };
  ipc::DecryptRequest request = MakeDecrypt(1, 2);
  ASSERT_TRUE(kms->Admit<DecryptOperation>(request).has_value());
  GiveToken(1, "s.second");
  const auto answer = TakeAnswer<ipc::DecryptAnswer>();
  EXPECT_EQ(answer.outcome(), ipc::OUTCOME_UNAUTHENTICATED);
  EXPECT_EQ(answer.calls_size(), 2);
  EXPECT_EQ(tokens->Take().token, nullptr);
  EXPECT_EQ(Decrypt(MakeDecrypt(2, 2)).outcome(), ipc::OUTCOME_AUTH_FAILED);
  EXPECT_EQ(logins.size(), 2U);
}

TEST_F(TransitCallTest, SecondRefusalIsFinalEvenWithANewerToken) {
  std::vector<std::function<void(openbao::CallReport)>> sent;
  std::vector<ipc::Outcome> ends;
  TransitCall call(
      {*tokens, transit}, BootNow() + 20s, {},
      [&sent](const openbao::CallContext&, std::function<void(openbao::CallReport)> done) {
        sent.push_back(std::move(done));
        return openbao::CallId{};
      },
      [&ends](const CallEnd& end) { ends.push_back(end.outcome); });
  openbao::CallReport refused;
  refused.error_class = ErrorClass::kUnauthenticated;

  call.Begin();
  sent.at(0)(refused);
  RunUntil([this] { return logins.size() == 2; });
  GiveToken(1, "s.second", 1);  // a lease in seconds, so that it is soon replaced
  RunUntil([this, &sent] { return sent.size() == 2 && logins.size() == 3; });
  GiveToken(2, "s.third");
  RunUntil([this] {
    const auto current = tokens->Take();
    return current.token != nullptr && Reveal(*current.token) == "s.third";
  });
  sent.at(1)(refused);
  RunUntil([&] { return !ends.empty() || sent.size() > 2; });
  EXPECT_EQ(sent.size(), 2U);
  EXPECT_EQ(ends, (std::vector{ipc::OUTCOME_UNAUTHENTICATED}));
}

TEST_F(TransitCallTest, PolicyDenialKeepsTheTokenAndIsNotRepeated) {
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

TEST_F(TransitCallTest, WaitsForTheFirstTokenWithinTheDeadline) {
  tokens->NoteRejection(1, Rejection::kUnauthenticated);
  ipc::DecryptRequest first = MakeDecrypt(1, 2);
  first.set_deadline_ns(Soon(20ms));
  EXPECT_EQ(Decrypt(first).outcome(), ipc::OUTCOME_TIMEOUT);
  ipc::DecryptRequest second = MakeDecrypt(2, 2);
  ASSERT_TRUE(kms->Admit<DecryptOperation>(second).has_value());
  GiveToken(1, "s.second");
  EXPECT_EQ(TakeAnswer<ipc::DecryptAnswer>().outcome(), ipc::OUTCOME_OK);
}

}  // namespace
}  // namespace baokms::worker
