// Equal Decrypt requests in flight share one call and nothing else.

#include "supervisor/kms/decrypt_coalescer.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/ipc.pb.h"
#include "proto/kms_v2.pb.h"
#include "tests/supervisor/kms/fakes.h"
#include "tests/supervisor/kms/service_fixture.h"
#include "tests/supervisor/workers/run_loop.h"

namespace baokms::supervisor {
namespace {

using std::chrono::milliseconds;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class DecryptCoalescerTest : public ::testing::Test {
 protected:
  DecryptCoalescerTest() {
    world_.workers.on_decrypt = [](const auto&, const auto&) {
      return std::nullopt;
    };
  }

  KmsCallPtr Start(v2::DecryptRequest request = GoodDecryptRequest(),
                   BootTime deadline = BootTime::max()) {
    const std::size_t index = results_.size();
    results_.emplace_back();
    return world_.service.Decrypt(
        request, deadline,
        [this, index](const PublicError& error, std::span<const std::uint8_t> plaintext) {
          results_[index] = error.code == GrpcCode::kOk
                                ? std::string(plaintext.begin(), plaintext.end())
                                : std::string(error.text);
        });
  }

  bool Await(std::size_t index) {
    return RunUntil(*world_.loop, [&] { return !results_[index].empty(); });
  }

  FakeWorld world_{{.status = 1, .encrypt = 1, .decrypt = 2}};
  std::vector<std::string> results_;
};

TEST_F(DecryptCoalescerTest, EqualRequestsAreOneCall) {
  for (int i = 0; i < 10; ++i) {
    Start();
  }
  EXPECT_THAT(world_.workers.decrypts, SizeIs(1));
  EXPECT_EQ(world_.metrics.coalesced, 9);
  world_.workers.AnswerOpen(DecryptedTo("p"));
  ASSERT_TRUE(Await(9));
  EXPECT_THAT(results_, Each("p"));
  EXPECT_EQ(world_.metrics.Finished().size(), 10U);
}

TEST_F(DecryptCoalescerTest, OrderOfAnnotationsAndUidDoNotMatter) {
  v2::DecryptRequest other = GoodDecryptRequest();
  std::reverse(other.mutable_annotations()->begin(), other.mutable_annotations()->end());
  other.set_uid("another");
  Start();
  Start(other);
  EXPECT_THAT(world_.workers.decrypts, SizeIs(1));
}

TEST_F(DecryptCoalescerTest, AnyOtherDifferenceSeparates) {
  Start();
  v2::DecryptRequest other = GoodDecryptRequest();
  other.mutable_annotations(0)->set_value("x");
  Start(other);
  EXPECT_THAT(world_.workers.decrypts, SizeIs(2));
  v2::DecryptRequest fewer = GoodDecryptRequest();
  fewer.mutable_annotations()->RemoveLast();
  Start(fewer);
  EXPECT_EQ(results_[2], "kms request concurrency limit reached (temporary)");
}

// Nobody learns what belongs to one key by naming another one.
TEST_F(DecryptCoalescerTest, AnotherKeySeparates) {
  Start();
  v2::DecryptRequest other = GoodDecryptRequest();
  other.set_key_id(OtherKeyId());
  Start(other);
  ASSERT_TRUE(Await(1));
  EXPECT_EQ(results_, (std::vector<std::string>{"", "key_id unknown"}));
}

TEST_F(DecryptCoalescerTest, FollowersTakeNoPlace) {
  Start();
  v2::DecryptRequest other = GoodDecryptRequest();
  other.set_ciphertext(GoodCiphertext(4));
  Start(other);
  Start();  // the limit of two is reached, but this one joins
  EXPECT_EQ(results_[2], "");
  world_.workers.AnswerOpen(DecryptedTo("p"));
  ASSERT_TRUE(Await(2));
  EXPECT_THAT(results_, Each("p"));
}

TEST_F(DecryptCoalescerTest, FollowersAreBounded) {
  for (std::size_t i = 0; i <= DecryptCoalescer::kMaxFollowers; ++i) {
    Start();
  }
  EXPECT_THAT(world_.metrics.Finished(), IsEmpty());
  Start();
  EXPECT_EQ(results_.back(), "kms request concurrency limit reached (temporary)");
  world_.workers.AnswerOpen(DecryptedTo("p"));
  ASSERT_TRUE(Await(0));
  Start();  // counted down again
  Start();
  EXPECT_EQ(results_.back(), "");
}

TEST_F(DecryptCoalescerTest, LeaderThatLeavesTakesNobodyAlong) {
  const KmsCallPtr leader = Start();
  Start();
  leader->Cancel();
  EXPECT_EQ(results_[0], "request canceled");
  EXPECT_THAT(world_.workers.cancelled, IsEmpty());
  world_.workers.AnswerOpen(DecryptedTo("p"));
  ASSERT_TRUE(Await(1));
  EXPECT_EQ(results_[1], "p");
}

TEST_F(DecryptCoalescerTest, LastOneToLeaveStopsTheCall) {
  const KmsCallPtr leader = Start();
  const KmsCallPtr follower = Start();
  follower->Cancel();
  EXPECT_THAT(world_.workers.cancelled, IsEmpty());
  leader->Cancel();
  EXPECT_THAT(world_.workers.cancelled, SizeIs(1));
  EXPECT_THAT(results_, Each("request canceled"));
  Start();  // does not join what is over
  EXPECT_THAT(world_.workers.decrypts, SizeIs(2));
}

TEST_F(DecryptCoalescerTest, LeadersDeadlineDoesNotReachFollowers) {
  const BootTime soon = BootNow() + milliseconds(30);
  Start(GoodDecryptRequest(), soon);
  Start();
  RunFor(*world_.loop, milliseconds(35));
  world_.workers.AnswerOpen(FailedWith<ipc::DecryptAnswer>(ipc::OUTCOME_TIMEOUT));
  ASSERT_TRUE(Await(0));
  EXPECT_EQ(results_[0], "request timed out (temporary)");
  ASSERT_TRUE(RunUntil(*world_.loop, [&] { return world_.workers.decrypt_count() == 2; }));
  EXPECT_GT(BootTime(world_.workers.decrypts[1].first.deadline_ns()),
            soon + std::chrono::seconds(1));
  world_.workers.AnswerOpen(DecryptedTo("p"));
  ASSERT_TRUE(Await(1));
  EXPECT_EQ(results_[1], "p");
}

TEST_F(DecryptCoalescerTest, FollowerHasItsOwnDeadline) {
  Start();
  const BootTime before = BootNow();
  Start(GoodDecryptRequest(), before + milliseconds(30));
  ASSERT_TRUE(Await(1));
  EXPECT_EQ(results_[1], "request timed out (temporary)");
  EXPECT_LT(BootNow() - before, milliseconds(500));
  EXPECT_EQ(results_[0], "");
  world_.workers.AnswerOpen(DecryptedTo("p"));
  ASSERT_TRUE(Await(0));
  EXPECT_EQ(results_[0], "p");
}

TEST_F(DecryptCoalescerTest, FailureReachesEverybody) {
  Start();
  Start();
  for (const std::size_t opinions : {1U, 2U}) {
    ASSERT_TRUE(RunUntil(*world_.loop, [&] { return world_.workers.decrypt_count() == opinions; }));
    EXPECT_THAT(results_, Each(""));
    world_.workers.AnswerOpen(FailedWith<ipc::DecryptAnswer>(ipc::OUTCOME_DECRYPT_FAILED));
  }
  ASSERT_TRUE(Await(1));
  EXPECT_THAT(results_, Each("transit decrypt failed"));
}

// The second opinion is asked for once for all, joined by those who come meanwhile, and cancelled
// when nobody waits for it any longer.
TEST_F(DecryptCoalescerTest, SecondOpinionIsSharedAndCancelled) {
  const KmsCallPtr leader = Start();
  world_.workers.AnswerOpen(FailedWith<ipc::DecryptAnswer>(ipc::OUTCOME_DECRYPT_FAILED));
  ASSERT_TRUE(RunUntil(*world_.loop, [&] { return world_.workers.decrypt_count() == 2; }));
  const KmsCallPtr follower = Start();
  EXPECT_THAT(world_.workers.decrypts, SizeIs(2));
  leader->Cancel();
  EXPECT_THAT(world_.workers.cancelled, IsEmpty());
  follower->Cancel();
  EXPECT_THAT(world_.workers.cancelled, ElementsAre(2U));
  world_.workers.AnswerOpen(DecryptedTo("p"));
  RunFor(*world_.loop, milliseconds(5));
  EXPECT_THAT(results_, Each("request canceled"));
  EXPECT_THAT(world_.workers.replaced, IsEmpty());
}

TEST_F(DecryptCoalescerTest, FollowerWithAnEarlierDeadlineDoesNotWaitForTheSecondOpinion) {
  Start();
  world_.workers.AnswerOpen(FailedWith<ipc::DecryptAnswer>(ipc::OUTCOME_DECRYPT_FAILED));
  ASSERT_TRUE(RunUntil(*world_.loop, [&] { return world_.workers.decrypt_count() == 2; }));
  Start(GoodDecryptRequest(), BootNow() + milliseconds(30));
  ASSERT_TRUE(Await(1));
  EXPECT_EQ(results_[1], "request timed out (temporary)");
  EXPECT_EQ(results_[0], "");
  world_.workers.AnswerOpen(FailedWith<ipc::DecryptAnswer>(ipc::OUTCOME_DECRYPT_FAILED));
  ASSERT_TRUE(Await(0));
  EXPECT_EQ(results_[0], "transit decrypt failed");
}

TEST_F(DecryptCoalescerTest, DiscoveryIsSharedToo) {
  v2::DecryptRequest request = GoodDecryptRequest();
  request.mutable_key_id()->at(10) = request.key_id()[10] == 'a' ? 'b' : 'a';
  Start(request);
  Start(request);
  EXPECT_EQ(world_.status.discoveries, 1);
  ASSERT_TRUE(Await(1));
  EXPECT_THAT(results_, Each("key_id unknown"));
}

TEST_F(DecryptCoalescerTest, LeaverDuringDiscoveryAsksNoWorker) {
  v2::DecryptRequest request = GoodDecryptRequest();
  request.mutable_key_id()->at(10) = request.key_id()[10] == 'a' ? 'b' : 'a';
  world_.status.on_discover = [&] {
    StatusView view = FakeStatus::Healthy();
    view.decryptable[request.key_id()] = {4, 1};
    world_.status.Set(view);
    return DiscoveryOutcome::kKnown;
  };
  const KmsCallPtr call = Start(request);
  call->Cancel();
  RunFor(*world_.loop, milliseconds(5));
  EXPECT_THAT(world_.workers.decrypts, IsEmpty());
  EXPECT_THAT(results_, ElementsAre("request canceled"));
}

}  // namespace
}  // namespace baokms::supervisor
