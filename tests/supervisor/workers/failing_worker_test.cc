// What becomes of a request that its worker cannot serve, while another one could.

#include <chrono>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "proto/ipc.pb.h"
#include "supervisor/workers/hedge_policy.h"
#include "supervisor/workers/pending_request.h"
#include "supervisor/workers/request_scheduler.h"
#include "tests/supervisor/workers/scheduler_test_base.h"

namespace baokms::supervisor {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Two workers with tokens, and a third without one.
class FailingWorkerTest : public RequestSchedulerTest {
 protected:
  FailingWorkerTest() {
    AllReady();
    scheduler_.WorkerToken(0, true);
    scheduler_.WorkerToken(1, true);
  }

  PendingRequestPtr Submit(RequestId id, WorkerChoice choice = {}) {
    PendingRequestPtr pending = Make(id, choice);
    pending->deadline = now_ + kDeadline;
    scheduler_.Submit(pending, now_);
    return pending;
  }

  RequestScheduler::Answered Answer(const PendingRequestPtr& pending, ipc::Outcome outcome) {
    auto answered = scheduler_.Answer(*pending->slot, pending->id,
                                      {.kind = kDecrypted.kind, .outcome = outcome}, now_);
    EXPECT_TRUE(answered.has_value());
    return *std::move(answered);
  }

  BootTime now_ = kNow;
};

TEST_F(FailingWorkerTest, WhatItCannotServeGoesToAnotherOne) {
  const PendingRequestPtr pending = Submit(1);
  const Slot failing = *pending->slot;
  const auto failed = Answer(pending, ipc::OUTCOME_PERMISSION_DENIED);
  EXPECT_EQ(failed.pending, nullptr);
  EXPECT_THAT(SlotsOf(failed.steps), ElementsAre(1 - failing));
  EXPECT_EQ(pending->replays, 1U);
  EXPECT_EQ(Answer(pending, ipc::OUTCOME_OK).pending, pending);
}

// Nobody cancelled it, and a worker has no errors that only it knows about.
TEST_F(FailingWorkerTest, ExcusesOfAWorkerAreItsOwn) {
  for (const ipc::Outcome outcome : {ipc::OUTCOME_CANCELED, ipc::OUTCOME_INTERNAL}) {
    now_ += RequestScheduler::kFailedFor;
    const PendingRequestPtr pending = Submit(1);
    EXPECT_EQ(Answer(pending, outcome).pending, nullptr);
    EXPECT_EQ(Answer(pending, ipc::OUTCOME_OK).pending, pending);
  }
}

TEST_F(FailingWorkerTest, ItIsChosenLastForAWhile) {
  const PendingRequestPtr first = Submit(1);
  const Slot failing = *first->slot;
  Answer(first, ipc::OUTCOME_UNAUTHENTICATED);
  for (RequestId id = 2; id <= 9; ++id) {
    EXPECT_EQ(*Submit(id)->slot, 1 - failing);
  }
  now_ += RequestScheduler::kFailedFor;
  EXPECT_EQ(*Submit(10)->slot, failing);
}

TEST_F(FailingWorkerTest, ItIsAskedAgainAtOnceWhenItHasAnotherToken) {
  const PendingRequestPtr first = Submit(1);
  const Slot failing = *first->slot;
  Answer(first, ipc::OUTCOME_UNAUTHENTICATED);
  scheduler_.WorkerToken(failing, true);
  Submit(2);
  EXPECT_EQ(*Submit(3)->slot, failing);
}

// OpenBao is the reason: everything is tried twice once, and not again while that is fresh.
TEST_F(FailingWorkerTest, OutageIsNotDoubled) {
  const PendingRequestPtr first = Submit(1);
  EXPECT_EQ(Answer(first, ipc::OUTCOME_CONNECTION_FAILED).pending, nullptr);
  EXPECT_EQ(Answer(first, ipc::OUTCOME_CONNECTION_FAILED).pending, first);
  for (RequestId id = 2; id <= 9; ++id) {
    const PendingRequestPtr pending = Submit(id);
    EXPECT_EQ(Answer(pending, ipc::OUTCOME_CONNECTION_FAILED).pending, pending);
  }
}

TEST_F(FailingWorkerTest, WhatIsAboutTheRequestIsNotTriedAgain) {
  for (const ipc::Outcome outcome :
       {ipc::OUTCOME_DECRYPT_FAILED, ipc::OUTCOME_INVALID_REQUEST, ipc::OUTCOME_NOT_FOUND,
        ipc::OUTCOME_ANNOTATIONS_MISMATCH, ipc::OUTCOME_OK}) {
    const PendingRequestPtr pending = Submit(1);
    EXPECT_EQ(Answer(pending, outcome).pending, pending);
  }
}

TEST_F(FailingWorkerTest, ChoiceOfTheCallerCounts) {
  const PendingRequestPtr only = Submit(1, {.only = 0});
  EXPECT_EQ(Answer(only, ipc::OUTCOME_UNAUTHENTICATED).pending, only);
  now_ += RequestScheduler::kFailedFor;
  const PendingRequestPtr another = Submit(2, {.not_this = 0});
  EXPECT_EQ(another->slot, 1U);
  EXPECT_EQ(Answer(another, ipc::OUTCOME_UNAUTHENTICATED).pending, another);
}

TEST_F(FailingWorkerTest, NothingIsTriedAgainAfterItsDeadline) {
  const PendingRequestPtr late = Submit(1);
  now_ = late->deadline;
  EXPECT_EQ(Answer(late, ipc::OUTCOME_TIMEOUT).pending, late);
}

}  // namespace
}  // namespace baokms::supervisor
