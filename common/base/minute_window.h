// Limits the number of events per minute. It never waits.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <utility>
#include <variant>

#include "common/base/clock.h"

namespace baokms {

// `Id` identifies an event that can be given back. Not thread-safe; stores at most `limit` events.
template <typename Id = std::monostate>
class MinuteWindow final {
 public:
  // Allows `limit` events in any minute, but at least one.
  explicit MinuteWindow(std::size_t limit) : limit_(limit == 0 ? 1 : limit) {}

  // Counts one more event and returns true if it is within the limit.
  [[nodiscard]] bool Take(BootTime now, Id id = {}) {
    Forget(now);
    if (events_.size() >= limit_) {
      return false;
    }
    events_.emplace_back(now, std::move(id));
    return true;
  }

  // Removes an event from the count.
  void GiveBack(const Id& id) {
    std::erase_if(events_, [&](const auto& event) { return event.second == id; });
  }

  // Returns how many more events are allowed now.
  [[nodiscard]] std::size_t Remaining(BootTime now) const {
    const auto counted =
        std::ranges::count_if(events_, [now](const auto& event) { return Counts(event, now); });
    return limit_ - static_cast<std::size_t>(counted);
  }

  // Returns the time until one more event is allowed; zero when one is allowed now.
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
