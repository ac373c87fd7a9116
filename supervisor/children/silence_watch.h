// Notices a child that is stopped: one that owes an answer and sends nothing, not even the Pong
// that it is asked for. Pure bookkeeping: its owner calls Tick() at a fixed interval.

#pragma once

#include <cstdint>

#include "ipc/limits.h"

namespace baokms::supervisor {

class SilenceWatch final {
 public:
  explicit constexpr SilenceWatch(const ipc::SilenceLimits& limits) : limits_(limits) {}

  // What the owner must do.
  enum class Step : std::uint8_t {
    kNothing,
    kPing,     // ask for a sign of life
    kStopped,  // the child counts as stopped from now on
    kKill,     // it is not waited for any longer
  };

  // Counts one interval of ipc::SilenceLimits::tick. However late it is called it counts one, so
  // that an owner that was held up, or a suspended machine, blames no child.
  Step Tick(bool owes_answer) {
    if (!owes_answer) {
      ticks_ = 0;
      return Step::kNothing;
    }
    ++ticks_;
    if (ticks_ == limits_.kill) {
      return Step::kKill;
    }
    if (ticks_ == limits_.stopped) {
      return Step::kStopped;
    }
    return ticks_ == limits_.ping ? Step::kPing : Step::kNothing;
  }

  // Records a sign of life.
  void Heard() { ticks_ = 0; }

  [[nodiscard]] bool stopped() const { return ticks_ >= limits_.stopped; }

 private:
  ipc::SilenceLimits limits_;
  int ticks_ = 0;  // since the last sign of life
};

}  // namespace baokms::supervisor
