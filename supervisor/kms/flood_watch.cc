#include "supervisor/kms/flood_watch.h"

#include <malloc.h>

#include <algorithm>

namespace baokms::supervisor {
namespace {

// Processes that are remembered; a process that forks does not use up memory.
constexpr std::size_t kMaxPenalties = 256;

std::size_t HeapInUse() {
  const struct mallinfo2 heap = ::mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

}  // namespace

bool FloodSigns::Look(const ConnectionLook& look) {
  const bool idle = look.completed == completed_;
  completed_ = look.completed;
  const bool much = look.waiting >= kFloodBytes;
  idle_ = idle ? idle_ + 1 : 0;
  asks_ = look.waiting > 0 || look.in_progress > 0;
  asks_much_ = much || look.in_progress >= kManyCalls;
  too_many_ = look.in_progress >= kFloodCalls;
  const bool flooding = idle && look.waiting >= (look.unread ? 1 : kFloodBytes);
  const int weight = look.unread && (much || completed_ == 0) ? kUnreadWeight : 1;
  score_ = std::max(score_ + (flooding ? weight : -1), 0);
  return too_many_ || score_ > 0;
}

void FloodPenalties::Punish(uid_t uid, pid_t pid, BootTime now) {
  std::erase_if(penalties_, [now](const auto& one) { return one.second.until + kForgotten < now; });
  if (penalties_.size() >= kMaxPenalties) {
    penalties_.erase(
        std::ranges::min_element(penalties_, {}, [](const auto& one) { return one.second.until; }));
  }
  Penalty& penalty = penalties_[{uid, pid}];
  if (penalty.until > now) {
    return;  // for another connection that it had at the same time
  }
  // The kernel gives every process of another PID namespace the number 0, honest ones included.
  penalty.length = std::clamp(penalty.length * 2, kFirst, pid == 0 ? kFirst : kMaxLength);
  penalty.until = now + penalty.length;
}

BootTime FloodPenalties::Left(uid_t uid, pid_t pid, BootTime now) const {
  const auto found = penalties_.find({uid, pid});
  return found == penalties_.end() ? BootTime::zero()
                                   : std::max(found->second.until - now, BootTime::zero());
}

HeapWatch::Verdict HeapWatch::Look(BootTime now) {
  if (now < next_) {
    return Verdict::kFine;
  }
  next_ = now + kInterval;
  if (now >= trim_at_) {
    trim_at_ = BootTime::max();
    ::malloc_trim(0);
  }
  exceeded_ = HeapInUse() > kMaxHeap ? exceeded_ + 1 : 0;
  return exceeded_ == 0           ? Verdict::kFine
         : exceeded_ <= kPatience ? Verdict::kEndUseless
                                  : Verdict::kEndIdle;
}

}  // namespace baokms::supervisor
