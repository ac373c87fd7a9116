#include "supervisor/kms/server_tasks.h"

#include <utility>

namespace baokms::supervisor {

// One wake-up covers all tasks that are added before it is served. It is set after the lock is
// released, because the thread that it wakes takes the same lock immediately.
void ServerTasks::Add(Task task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
    if (tasks_.size() > 1) {
      return;
    }
  }
  alarm_ = std::make_unique<grpc::Alarm>();
  alarm_->Set(&queue_, gpr_time_0(GPR_CLOCK_MONOTONIC), wake_up_);
}

std::vector<ServerTasks::Task> ServerTasks::TakeAll() {
  const std::lock_guard lock(mutex_);
  return std::exchange(tasks_, {});
}

}  // namespace baokms::supervisor
