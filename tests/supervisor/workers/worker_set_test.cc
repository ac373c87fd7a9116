#include "supervisor/workers/worker_set.h"

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/ipc.pb.h"
#include "tests/supervisor/workers/fake_worker.h"

namespace baokms::supervisor {
namespace {

using ipc::MessageType;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class WorkerSetTest : public WorkerSetTestBase {};

TEST_F(WorkerSetTest, SendsTheTableRightAfterHelloAndNothingBeforeItsAcknowledgement) {
  FakeWorker worker(set_, 0);
  Decrypt("early");
  worker.SayHello();
  worker.Await<ipc::HelloAnswer>(*loop_, MessageType::kHelloAnswer);
  EXPECT_EQ(worker.Await<ipc::KeyTable>(*loop_, MessageType::kKeyTable).generation(), 1U);
  RunFor(*loop_, milliseconds(10));
  EXPECT_FALSE(worker.HasMessage());
  EXPECT_FALSE(set_.Workers()[0].ready);

  worker.Acknowledge(1);
  EXPECT_EQ(AwaitDecrypt(worker).ciphertext(), "early");
  EXPECT_TRUE(set_.Workers()[0].ready);
  EXPECT_TRUE(set_.Workers()[0].active_verified);
}

TEST_F(WorkerSetTest, HandsTheAnswerToItsQuestion) {
  FakeWorker worker(set_, 1);
  worker.BecomeReady(*loop_);
  Decrypt("one");
  Decrypt("two");
  const auto one = AwaitDecrypt(worker);
  const auto two = AwaitDecrypt(worker);
  worker.AnswerDecrypt(two.id(), "second");
  worker.AnswerDecrypt(one.id(), "first");
  ASSERT_TRUE(AwaitReplies(2));
  EXPECT_EQ(replies_[0].answer.plaintext(), "second");
  EXPECT_EQ(replies_[1].answer.plaintext(), "first");
  EXPECT_EQ(replies_[1].worker.slot, 1U);
  EXPECT_THAT(events_.violations, IsEmpty());
}

TEST_F(WorkerSetTest, NewTableReachesAllAndIsDoneWhenAllHaveIt) {
  FakeWorker first(set_, 0);
  FakeWorker second(set_, 1);
  first.BecomeReady(*loop_);
  second.BecomeReady(*loop_);
  bool done = false;
  Publish(2, [&] { done = true; });
  EXPECT_EQ(first.Await<ipc::KeyTable>(*loop_, MessageType::kKeyTable).generation(), 2U);
  first.Acknowledge(2);
  RunFor(*loop_, milliseconds(10));
  EXPECT_FALSE(done);
  EXPECT_TRUE(set_.Workers()[1].ready);  // serves under the old one meanwhile

  second.Await<ipc::KeyTable>(*loop_, MessageType::kKeyTable);
  second.Acknowledge(2);
  EXPECT_TRUE(RunUntil(*loop_, [&] { return done; }));
}

TEST_F(WorkerSetTest, PublicationDoesNotWaitForTheDead) {
  FakeWorker first(set_, 0);
  FakeWorker second(set_, 1);
  first.BecomeReady(*loop_);
  second.BecomeReady(*loop_);
  bool done = false;
  Publish(2, [&] { done = true; });
  first.Acknowledge(2);
  second.Die();
  EXPECT_TRUE(RunUntil(*loop_, [&] { return done; }));
}

TEST_F(WorkerSetTest, PublicationWithoutWorkersIsDoneAtOnce) {
  bool done = false;
  Publish(2, [&] { done = true; });
  EXPECT_TRUE(RunUntil(*loop_, [&] { return done; }));
  FakeWorker worker(set_, 0);
  worker.SayHello();
  worker.Await<ipc::HelloAnswer>(*loop_, MessageType::kHelloAnswer);
  EXPECT_EQ(worker.Await<ipc::KeyTable>(*loop_, MessageType::kKeyTable).generation(), 2U);
}

TEST_F(WorkerSetTest, RefusingTheTableIsAViolation) {
  FakeWorker worker(set_, 0);
  worker.SayHello();
  RunFor(*loop_, milliseconds(5));
  worker.Acknowledge(1, ipc::OUTCOME_KEY_ID_MALFORMED);
  ASSERT_TRUE(RunUntil(*loop_, [&] { return !events_.violations.empty(); }));
  EXPECT_THAT(events_.violations, ElementsAre(0U));
  EXPECT_FALSE(set_.Workers()[0].ready);
}

TEST_F(WorkerSetTest, TimesOutAndTellsTheWorker) {
  FakeWorker worker(set_, 0);
  worker.BecomeReady(*loop_);
  const BootTime before = BootNow();
  Decrypt("slow", {}, milliseconds(50));
  const auto request = AwaitDecrypt(worker);
  ASSERT_TRUE(AwaitReplies(1));
  EXPECT_EQ(replies_[0].answer.outcome(), ipc::OUTCOME_TIMEOUT);
  EXPECT_GE(BootNow() - before, milliseconds(50));
  EXPECT_LT(BootNow() - before, milliseconds(500));
  EXPECT_EQ(worker.Await<ipc::CancelRequest>(*loop_, MessageType::kCancelRequest).id(),
            request.id());

  worker.AnswerDecrypt(request.id(), "too late");
  RunFor(*loop_, milliseconds(10));
  EXPECT_EQ(replies_.size(), 1U);
  EXPECT_THAT(events_.violations, IsEmpty());
}

TEST_F(WorkerSetTest, ShorterDeadlineAfterALongerOneIsKept) {
  Decrypt("long", {}, std::chrono::seconds(30));
  RunFor(*loop_, milliseconds(5));
  Decrypt("short", {}, milliseconds(20));
  ASSERT_TRUE(AwaitReplies(1));
  EXPECT_EQ(replies_[0].answer.outcome(), ipc::OUTCOME_TIMEOUT);
}

TEST_F(WorkerSetTest, CancelledOperationDoesNotCallBack) {
  FakeWorker worker(set_, 0);
  worker.BecomeReady(*loop_);
  const RequestId id = Decrypt("unwanted");
  const auto request = AwaitDecrypt(worker);
  set_.Cancel(id);
  set_.Cancel(id);
  EXPECT_EQ(worker.Await<ipc::CancelRequest>(*loop_, MessageType::kCancelRequest).id(),
            request.id());
  worker.AnswerDecrypt(request.id(), "unwanted");
  RunFor(*loop_, milliseconds(10));
  EXPECT_THAT(replies_, IsEmpty());
  EXPECT_FALSE(worker.HasMessage());
}

TEST_F(WorkerSetTest, KilledWorkersRequestsMoveToAnother) {
  FakeWorker first(set_, 0);
  first.BecomeReady(*loop_);
  Decrypt("a");
  Decrypt("b");
  AwaitDecrypt(first);
  AwaitDecrypt(first);
  FakeWorker second(set_, 1);
  second.BecomeReady(*loop_);
  first.Die();
  set_.Detached(0, WorkerEnd::kKilled);
  const auto a = AwaitDecrypt(second);
  const auto b = AwaitDecrypt(second);
  EXPECT_EQ(a.ciphertext(), "a");
  EXPECT_EQ(b.ciphertext(), "b");
  second.AnswerDecrypt(a.id(), "A");
  ASSERT_TRUE(AwaitReplies(1));
  EXPECT_EQ(replies_[0].replays, 1U);
  EXPECT_EQ(replies_[0].worker.slot, 1U);
}

TEST_F(WorkerSetTest, NothingMovesBeforeTheCauseOfDeathIsKnown) {
  FakeWorker first(set_, 0);
  FakeWorker second(set_, 1);
  first.BecomeReady(*loop_);
  Decrypt("a");
  AwaitDecrypt(first);
  second.BecomeReady(*loop_);
  first.Die();
  RunFor(*loop_, milliseconds(20));
  EXPECT_FALSE(second.HasMessage());
  set_.Detached(0, WorkerEnd::kKilled);
  EXPECT_EQ(AwaitDecrypt(second).ciphertext(), "a");
}

TEST_F(WorkerSetTest, LastWordsAreReadAfterTheProcessEnded) {
  FakeWorker worker(set_, 0);
  worker.BecomeReady(*loop_);
  Decrypt("a");
  const auto request = AwaitDecrypt(worker);
  set_.Detached(0, WorkerEnd::kCrashed);
  worker.AnswerDecrypt(request.id(), "A");
  ipc::SyscallRefused refused;
  refused.set_number(41);
  worker.Send(MessageType::kSyscallRefused, refused);
  worker.Die();
  ASSERT_TRUE(AwaitReplies(1));
  EXPECT_EQ(replies_[0].answer.plaintext(), "A");
  EXPECT_THAT(events_.events, ElementsAre("refused 41"));
  EXPECT_THAT(events_.violations, IsEmpty());
}

TEST_F(WorkerSetTest, SuspectIsTriedAloneAndBlamedWhenItKillsTwiceMore) {
  auto first = std::make_unique<FakeWorker>(set_, 0);
  FakeWorker second(set_, 1);
  first->BecomeReady(*loop_);
  Decrypt("poison");
  AwaitDecrypt(*first);
  second.BecomeReady(*loop_);
  first->Die();
  set_.Detached(0, WorkerEnd::kCrashed);
  EXPECT_EQ(AwaitDecrypt(second).ciphertext(), "poison");
  Decrypt("innocent");  // must not share the worker with a suspect
  RunFor(*loop_, milliseconds(10));
  EXPECT_FALSE(second.HasMessage());

  second.Die();
  set_.Detached(1, WorkerEnd::kCrashed);
  first = std::make_unique<FakeWorker>(set_, 0);
  first->BecomeReady(*loop_);
  EXPECT_EQ(AwaitDecrypt(*first).ciphertext(), "poison");
  EXPECT_FALSE(first->HasMessage());
  first->Die();
  set_.Detached(0, WorkerEnd::kCrashed);
  ASSERT_TRUE(AwaitReplies(1));
  EXPECT_EQ(replies_[0].answer.outcome(), ipc::OUTCOME_INTERNAL);

  first = std::make_unique<FakeWorker>(set_, 0);
  first->BecomeReady(*loop_);
  EXPECT_EQ(AwaitDecrypt(*first).ciphertext(), "innocent");
  Decrypt("poison");
  ASSERT_TRUE(AwaitReplies(2));
  EXPECT_EQ(replies_[1].answer.outcome(), ipc::OUTCOME_INTERNAL);
  EXPECT_FALSE(first->HasMessage());
}

TEST_F(WorkerSetTest, ReplacementOfAWorkerGetsTheTableAndNothingOfItsPredecessor) {
  auto worker = std::make_unique<FakeWorker>(set_, 0);
  worker->BecomeReady(*loop_);
  ASSERT_EQ(events_.ready.size(), 1U);
  ipc::ConnectRequest wanted;
  wanted.set_id(7);
  worker->Send(MessageType::kConnectRequest, wanted);
  ASSERT_TRUE(RunUntil(*loop_, [&] { return !events_.connects.empty(); }));
  const ChildProcess old = events_.connects[0];
  ipc::ConnectAnswer answer;
  answer.set_id(7);
  answer.set_outcome(ipc::OUTCOME_CONNECTION_FAILED);
  EXPECT_TRUE(set_.ChannelOf(old)->AnswerConnect(answer, UniqueFd()).has_value());
  EXPECT_EQ(worker->Await<ipc::ConnectAnswer>(*loop_, MessageType::kConnectAnswer).id(), 7U);

  worker->Die();
  set_.Detached(0, WorkerEnd::kKilled);
  RunFor(*loop_, milliseconds(5));
  worker = std::make_unique<FakeWorker>(set_, 0);
  worker->BecomeReady(*loop_);
  EXPECT_EQ(set_.ChannelOf(old), nullptr);
  EXPECT_FALSE(worker->HasMessage());
}

TEST_F(WorkerSetTest, KeepsWhatWorkersSayOfTheirTokens) {
  FakeWorker worker(set_, 0);
  worker.BecomeReady(*loop_);
  ipc::TokenStatus status;
  status.set_usable(true);
  status.set_expires_boottime_ns(123);
  status.set_last_outcome(ipc::OUTCOME_OK);
  status.set_status("ok");
  ipc::OpenBaoCall& call = *status.add_calls();
  call.set_operation(ipc::OPERATION_JWT_LOGIN);
  call.set_outcome(ipc::OUTCOME_OK);
  worker.Send(MessageType::kTokenStatus, status);
  ASSERT_TRUE(RunUntil(*loop_, [&] { return !events_.token_words.empty(); }));
  EXPECT_THAT(events_.calls, ElementsAre(ipc::OPERATION_JWT_LOGIN));
  const WorkerState state = set_.Workers()[0];
  EXPECT_TRUE(state.token_usable);
  EXPECT_EQ(state.token_expires, BootTime(123));
  worker.Die();
  ASSERT_TRUE(RunUntil(*loop_, [&] { return !set_.Workers()[0].ready; }));
  EXPECT_FALSE(set_.Workers()[0].token_usable);
}

TEST_F(WorkerSetTest, EveryKindOfOperationGoesThere) {
  FakeWorker worker(set_, 0);
  worker.BecomeReady(*loop_);
  const std::int64_t deadline = (BootNow() + std::chrono::seconds(5)).count();
  std::string seen;

  ipc::EncryptRequest encrypt;
  encrypt.set_deadline_ns(deadline);
  encrypt.set_plaintext("p");
  set_.Submit(encrypt, {}, [&](const Reply<ipc::EncryptAnswer>&) { seen += "e"; });
  ipc::EncryptAnswer encrypted;
  encrypted.set_id(worker.Await<ipc::EncryptRequest>(*loop_, MessageType::kEncryptRequest).id());
  encrypted.set_outcome(ipc::OUTCOME_OK);
  worker.Send(MessageType::kEncryptAnswer, encrypted);

  ipc::MetadataRequest metadata;
  metadata.set_deadline_ns(deadline);
  set_.Submit(metadata, {}, [&](const Reply<ipc::MetadataAnswer>&) { seen += "m"; });
  ipc::MetadataAnswer read;
  read.set_id(worker.Await<ipc::MetadataRequest>(*loop_, MessageType::kMetadataRequest).id());
  read.set_outcome(ipc::OUTCOME_OK);
  read.set_upsert_outcome(ipc::OUTCOME_OK);
  worker.Send(MessageType::kMetadataAnswer, read);

  ipc::ProbeEncryptRequest probe;
  probe.set_deadline_ns(deadline);
  set_.Submit(probe, {}, [&](const Reply<ipc::ProbeEncryptAnswer>&) { seen += "p"; });
  ipc::ProbeEncryptAnswer probed;
  probed.set_id(
      worker.Await<ipc::ProbeEncryptRequest>(*loop_, MessageType::kProbeEncryptRequest).id());
  probed.set_outcome(ipc::OUTCOME_OK);
  worker.Send(MessageType::kProbeEncryptAnswer, probed);

  ipc::ProbeDecryptRequest reverse;
  reverse.set_deadline_ns(deadline);
  set_.Submit(reverse, {}, [&](const Reply<ipc::ProbeDecryptAnswer>&) { seen += "d"; });
  ipc::ProbeDecryptAnswer reversed;
  reversed.set_id(
      worker.Await<ipc::ProbeDecryptRequest>(*loop_, MessageType::kProbeDecryptRequest).id());
  reversed.set_outcome(ipc::OUTCOME_OK);
  worker.Send(MessageType::kProbeDecryptAnswer, reversed);

  EXPECT_TRUE(RunUntil(*loop_, [&] { return seen == "empd"; })) << seen;
}

TEST_F(WorkerSetTest, TakesOperationsFromManyThreads) {
  FakeWorker worker(set_, 0);
  worker.BecomeReady(*loop_);
  constexpr int kThreads = 4;
  constexpr int kEach = 50;
  std::vector<std::thread> threads;
  std::atomic<int> answered{0};
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < kEach; ++j) {
        ipc::DecryptRequest request;
        request.set_deadline_ns((BootNow() + std::chrono::seconds(10)).count());
        const RequestId id =
            set_.Submit(request, {}, [&](const Reply<ipc::DecryptAnswer>&) { ++answered; });
        if (j % 5 == 0) {
          set_.Cancel(id);
        }
      }
    });
  }
  const bool all = RunUntil(*loop_, [&] {
    std::array<std::uint8_t, 4096> buffer{};
    for (;;) {
      auto datagram = ipc::ReceiveDatagram(worker.fd(), buffer);
      if (!datagram || !*datagram) {
        return answered >= kThreads * kEach * 4 / 5;  // a cancelled one may have been faster
      }
      if ((*datagram)->type == MessageType::kDecryptRequest) {
        ipc::DecryptRequest request;
        request.ParseFromArray((*datagram)->body.data(),
                               static_cast<int>((*datagram)->body.size()));
        worker.AnswerDecrypt(request.id(), "x");
      }
    }
  });
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_TRUE(all) << answered;
  EXPECT_THAT(events_.violations, IsEmpty());
}

TEST_F(WorkerSetTest, StoppedWorkerIsAskedAndReplacedWhileItsRequestGoesOn) {
  FakeWorker first(set_, 0);
  first.BecomeReady(*loop_);
  Decrypt("one");
  const auto request = AwaitDecrypt(first);
  FakeWorker second(set_, 1);
  second.BecomeReady(*loop_);
  first.Await<ipc::Ping>(*loop_, MessageType::kPing);
  EXPECT_EQ(AwaitDecrypt(second).id(), request.id());
  EXPECT_TRUE(set_.Workers()[0].lost);
  EXPECT_FALSE(set_.Workers()[1].lost);
  second.AnswerDecrypt(request.id(), "first");
  ASSERT_TRUE(AwaitReplies(1));
  EXPECT_EQ(replies_[0].replays, 1U);
  ASSERT_TRUE(RunUntil(*loop_, [this] { return !events_.silent.empty(); }));
  EXPECT_THAT(events_.silent, ElementsAre(0U));
  EXPECT_THAT(events_.violations, IsEmpty());
}

TEST_F(WorkerSetTest, SlowWorkerThatAnswersPingsKeepsItsRequest) {
  FakeWorker slow(set_, 0);
  FakeWorker other(set_, 1);
  slow.BecomeReady(*loop_);
  Decrypt("one");
  const auto request = AwaitDecrypt(slow);
  other.BecomeReady(*loop_);
  for (int i = 0; i < 5; ++i) {
    slow.Await<ipc::Ping>(*loop_, MessageType::kPing);
    slow.Send(MessageType::kPong, ipc::Pong());
  }
  slow.AnswerDecrypt(request.id(), "late");
  ASSERT_TRUE(AwaitReplies(1));
  EXPECT_EQ(replies_[0].replays, 0U);
  EXPECT_FALSE(other.HasMessage());
  EXPECT_THAT(events_.violations, IsEmpty());
}

TEST_F(WorkerSetTest, IdleWorkersAreNotAsked) {
  FakeWorker worker(set_, 0);
  worker.BecomeReady(*loop_);
  RunFor(*loop_, 2 * ipc::kWorkerSilence.ping * ipc::kWorkerSilence.tick);
  EXPECT_FALSE(worker.HasMessage());
}

}  // namespace
}  // namespace baokms::supervisor
