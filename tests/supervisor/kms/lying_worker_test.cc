// A worker that lies about a Decrypt, over real channels: what the client gets and what becomes of
// the worker.

#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/ipc.pb.h"
#include "supervisor/kms/service.h"
#include "tests/supervisor/kms/fakes.h"
#include "tests/supervisor/workers/fake_worker.h"

namespace baokms::supervisor {
namespace {

using ipc::MessageType;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr const char* kPlaintext = "a plaintext that is longer than a short string";

class LyingWorkerTest : public WorkerSetTestBase {
 protected:
  std::unique_ptr<FakeWorker> ReadyWorker(Slot slot) {
    auto worker = std::make_unique<FakeWorker>(set_, slot);
    worker->BecomeReady(*loop_);
    return worker;
  }

  void StartDecrypt(VerifyDecrypt mode) {
    service_ = std::make_unique<KmsService>(
        *loop_, set_, status_, observers_,
        ServiceOptions{GoldenIdentity(), kPluginVersion, std::chrono::seconds(1), {}, mode});
    v2::DecryptRequest request = GoodDecryptRequest();
    call_ = service_->Decrypt(
        request, BootTime::max(),
        [this](const PublicError& error, std::span<const std::uint8_t> plaintext) {
          seen_.push_back(error.code == GrpcCode::kOk
                              ? std::string(plaintext.begin(), plaintext.end())
                              : std::string(error.text));
        });
  }

  void Refuse(FakeWorker& worker, std::uint64_t id) {
    ipc::DecryptAnswer answer;
    answer.set_id(id);
    answer.set_outcome(ipc::OUTCOME_DECRYPT_FAILED);
    worker.Send(MessageType::kDecryptAnswer, answer);
  }

  // The spawner killed it.
  void End(std::unique_ptr<FakeWorker> worker, Slot slot) {
    worker->Die();
    set_.Detached(slot, WorkerEnd::kKilled);
    RunFor(*loop_, milliseconds(3));
  }

  bool AwaitSeen() {
    return RunUntil(*loop_, [&] { return !seen_.empty(); });
  }

  FakeStatus status_{*loop_};
  FakeMetrics metrics_;
  FakeLog log_;
  Observers observers_{metrics_, log_};
  std::unique_ptr<KmsService> service_;
  KmsCallPtr call_;
  std::vector<std::string> seen_;
};

TEST_F(LyingWorkerTest, RefusalAgainstAPlaintextIsDecidedByASuccessor) {
  auto liar = ReadyWorker(0);
  auto honest = ReadyWorker(1);
  StartDecrypt(VerifyDecrypt::kOff);
  Refuse(*liar, AwaitDecrypt(*liar).id());
  honest->AnswerDecrypt(AwaitDecrypt(*honest).id(), kPlaintext);
  ASSERT_TRUE(RunUntil(*loop_, [&] { return events_.violations.size() == 2; }));
  EXPECT_THAT(events_.violations, UnorderedElementsAre(0U, 1U));
  EXPECT_FALSE(set_.Workers()[0].ready || set_.Workers()[1].ready);
  EXPECT_THAT(seen_, IsEmpty());
  EXPECT_FALSE(liar->HasMessage()) << "it is not asked again";

  End(std::move(liar), 0);
  End(std::move(honest), 1);
  auto successor = ReadyWorker(0);
  successor->AnswerDecrypt(AwaitDecrypt(*successor).id(), kPlaintext);
  ASSERT_TRUE(AwaitSeen());
  EXPECT_THAT(seen_, ElementsAre(kPlaintext));
  EXPECT_EQ(metrics_.mismatches, 1);
}

TEST_F(LyingWorkerTest, GarbageIsNotGivenWithAlways) {
  auto liar = ReadyWorker(0);
  auto honest = ReadyWorker(1);
  StartDecrypt(VerifyDecrypt::kAlways);
  liar->AnswerDecrypt(AwaitDecrypt(*liar).id(), "garbage");
  honest->AnswerDecrypt(AwaitDecrypt(*honest).id(), kPlaintext);
  ASSERT_TRUE(RunUntil(*loop_, [&] { return events_.violations.size() == 2; }));
  End(std::move(liar), 0);
  End(std::move(honest), 1);
  auto successor = ReadyWorker(1);
  successor->AnswerDecrypt(AwaitDecrypt(*successor).id(), kPlaintext);
  ASSERT_TRUE(AwaitSeen());
  EXPECT_THAT(seen_, ElementsAre(kPlaintext));
}

TEST_F(LyingWorkerTest, GarbageOfTheFirstAnswersIsNotGivenInASample) {
  auto liar = ReadyWorker(0);
  auto honest = ReadyWorker(1);
  StartDecrypt(VerifyDecrypt::kSample);
  liar->AnswerDecrypt(AwaitDecrypt(*liar).id(), "garbage");
  honest->AnswerDecrypt(AwaitDecrypt(*honest).id(), kPlaintext);
  ASSERT_TRUE(RunUntil(*loop_, [&] { return events_.violations.size() == 2; }));
  EXPECT_THAT(seen_, IsEmpty());
  EXPECT_EQ(metrics_.mismatches, 1);
}

// The second worker was killed, so the only word is that of the one that may lie.
TEST_F(LyingWorkerTest, KillingTheOthersGainsNothing) {
  auto liar = ReadyWorker(0);
  auto victim = ReadyWorker(1);
  End(std::move(victim), 1);
  StartDecrypt(VerifyDecrypt::kOff);
  Refuse(*liar, AwaitDecrypt(*liar).id());
  ASSERT_TRUE(AwaitSeen());
  EXPECT_THAT(seen_, ElementsAre("transit unavailable (temporary)"));
  EXPECT_THAT(events_.violations, IsEmpty());
}

TEST_F(LyingWorkerTest, OnlyTheProcessThatAnsweredIsReplaced) {
  auto first = ReadyWorker(0);
  const WorkerProcess gone = {.slot = 0, .number = set_.Workers()[0].process};
  End(std::move(first), 0);
  auto successor = ReadyWorker(0);
  set_.Replace(gone);
  RunFor(*loop_, milliseconds(3));
  EXPECT_TRUE(set_.Workers()[0].ready);
  EXPECT_THAT(events_.violations, IsEmpty());
  set_.Replace({.slot = 0, .number = set_.Workers()[0].process});
  EXPECT_FALSE(set_.Workers()[0].ready) << "at once";
  ASSERT_TRUE(RunUntil(*loop_, [&] { return !events_.violations.empty(); }));
  EXPECT_THAT(events_.violations, ElementsAre(0U));
}

}  // namespace
}  // namespace baokms::supervisor
