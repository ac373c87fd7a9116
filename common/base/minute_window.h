// Counts events of the last minute against a limit. It does not wait and knows no reasons.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <utility>
#include <variant>

#include "common/base/clock.h"

namespace baokms {

// `Id` names an event that may be given back. Not thread-safe; holds `limit` events at most.
template <typename Id = std::monostate>
class MinuteWindow final {
 public:
  // `limit` events fit into any minute; at least one does.
  explicit MinuteWindow(std::size_t limit) : limit_(limit == 0 ? 1 : limit) {}

  // Whether one more event fits; it is counted then.
  [[nodiscard]] bool Take(BootTime now, Id id = {}) {
    Forget(now);
    if (events_.size() >= limit_) {
      return false;
    }
    events_.emplace_back(now, std::move(id));
    return true;
  }

  // That event does not count after all.
  void GiveBack(const Id& id) {
    std::erase_if(events_, [&](const auto& event) { return event.second == id; });
  }

  // How many more events fit.
  [[nodiscard]] std::size_t Remaining(BootTime now) const {
    const auto counted =
        std::ranges::count_if(events_, [now](const auto& event) { return Counts(event, now); });
    return limit_ - static_cast<std::size_t>(counted);
  }

  // How long until one more event fits; zero when it does now.
  [[nodiscard]] BootTime UntilNext(BootTime now) {
    Forget(now);
    return events_.size() < limit_ ? BootTime::zero() : events_.front().first + kWindow - now;
  }

 private:
  using Event = std::pair<BootTime, Id>;

  static constexpr BootTime kWindow = std::chrono::minutes(1);

  static bool Counts(const Event& event, BootTime now) { return event.first + kWindow > now; }

  void Forget(BootTime now) {
    while (!events_.empty() && !Counts(events_.front(), now)) {
      events_.pop_front();
    }
  }

  std::size_t limit_;
  std::deque<Event> events_;
};

}  // namespace baokms
