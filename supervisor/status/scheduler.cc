#include "supervisor/status/scheduler.h"

#include <utility>

namespace baokms::supervisor {

BootTime LoopScheduler::Now() const {
  return BootNow();
}

std::int64_t LoopScheduler::UnixNow() const {
  return baokms::UnixNow();
}

Scheduler::TimerId LoopScheduler::At(BootTime when, Task task) {
  return loop_.At(when, std::move(task));
}

void LoopScheduler::Cancel(TimerId timer) {
  loop_.Cancel(timer);
}

void LoopScheduler::Post(Task task) {
  loop_.Post(std::move(task));
}

}  // namespace baokms::supervisor
