#include "supervisor/status/scheduler.h"

#include <sys/random.h>

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

BootTime LoopScheduler::Jitter(BootTime duration) {
  std::uint16_t chance = 0;
  if (::getrandom(&chance, sizeof chance, GRND_NONBLOCK) != sizeof chance) {
    return duration;  // jitter is an optimisation, not worth failing for
  }
  // 0.8 + 0.4 * chance / 65536
  return duration / 10 * 8 + duration / 10 * 4 / 65'536 * chance;
}

}  // namespace baokms::supervisor
