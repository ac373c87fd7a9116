// What the tests of the request scheduler share: three workers, none of them ready, and requests.

#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"
#include "supervisor/workers/pending_request.h"
#include "supervisor/workers/request_scheduler.h"

namespace baokms::supervisor {

inline constexpr BootTime kNow = std::chrono::seconds(100);
inline constexpr BootTime kDeadline = std::chrono::seconds(102);
inline constexpr std::size_t kDecryptKind = 1;
inline constexpr RequestScheduler::AnswerFacts kDecrypted{kDecryptKind, ipc::OUTCOME_OK};
inline constexpr RequestScheduler::AnswerFacts kNoToken{kDecryptKind, ipc::OUTCOME_AUTH_FAILED};
inline constexpr RequestScheduler::AnswerFacts kRefused{kDecryptKind, ipc::OUTCOME_DECRYPT_FAILED};
inline constexpr BootTime kTick = ipc::kWorkerSilence.tick;

inline PendingRequestPtr Make(RequestId id,
                              WorkerChoice choice = {},
                              const std::string& what = "") {
  ipc::DecryptRequest request;
  request.set_deadline_ns(kDeadline.count());
  request.set_ciphertext(what.empty() ? std::to_string(id) : what);
  return MakePending(id, std::move(request), choice,
                     OnReply<ipc::DecryptAnswer>([](const Reply<ipc::DecryptAnswer>&) {}));
}

inline std::vector<Slot> SlotsOf(const RequestScheduler::Steps& steps) {
  std::vector<Slot> slots;
  for (const RequestScheduler::Send& send : steps.sends) {
    slots.push_back(send.slot);
  }
  return slots;
}

inline std::vector<ipc::Outcome> OutcomesOf(const RequestScheduler::Steps& steps) {
  std::vector<ipc::Outcome> outcomes;
  for (const RequestScheduler::Ended& ended : steps.ended) {
    outcomes.push_back(ended.outcome);
  }
  return outcomes;
}

class RequestSchedulerTest : public ::testing::Test {
 protected:
  void AllReady() {
    scheduler_.WorkerReady(0, kNow);
    scheduler_.WorkerReady(1, kNow);
    scheduler_.WorkerReady(2, kNow);
  }

  RequestScheduler scheduler_{3};
};

}  // namespace baokms::supervisor
