#include "supervisor/kms/answer_queue.h"

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <grpc/support/time.h>

namespace baokms::supervisor {

// One wake-up covers all calls that are added before it is served. It is set after the lock is
// released, because the thread that it wakes takes the same lock immediately.
void AnswerQueue::Add(Rpc& call) {
  {
    const std::lock_guard lock(mutex_);
    calls_.push_back(&call);
    if (calls_.size() > 1) {
      return;
    }
  }
  alarm_ = std::make_unique<grpc::Alarm>();
  alarm_->Set(&queue_, gpr_time_0(GPR_CLOCK_MONOTONIC), wake_up_);
}

std::vector<Rpc*> AnswerQueue::TakeAll() {
  const std::lock_guard lock(mutex_);
  return std::exchange(calls_, {});
}

}  // namespace baokms::supervisor
