// Time, timers and randomness for everything in this folder behind one interface, so that tests can
// run hours of probing in no time. Knows nothing about probes.

#pragma once

#include <cstdint>
#include <functional>
#include <utility>

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/base/event_loop.h"

namespace baokms::supervisor {

// Now(), UnixNow() and Post() may be called from any thread; everything else belongs to the loop's
// thread.
class Scheduler {
 public:
  using TimerId = std::uint64_t;
  using Task = std::function<void()>;

  virtual ~Scheduler() = default;

  [[nodiscard]] virtual BootTime Now() const = 0;
  [[nodiscard]] virtual std::int64_t UnixNow() const = 0;

  // As EventLoop::At().
  virtual TimerId At(BootTime when, Task task) = 0;
  virtual void Cancel(TimerId timer) = 0;
  virtual void Post(Task task) = 0;

  // As UniformRandom(): for the jitter of back-off.
  virtual double Random() = 0;

 protected:
  Scheduler() = default;
  Scheduler(const Scheduler&) = default;
  Scheduler& operator=(const Scheduler&) = default;
};

// The production implementation, on the supervisor's loop.
class LoopScheduler final : public Scheduler {
 public:
  // `loop` must outlive the object.
  explicit LoopScheduler(EventLoop& loop) : loop_(loop) {}

  [[nodiscard]] BootTime Now() const override { return BootNow(); }

  [[nodiscard]] std::int64_t UnixNow() const override { return baokms::UnixNow(); }

  TimerId At(BootTime when, Task task) override { return loop_.At(when, std::move(task)); }

  void Cancel(TimerId timer) override { loop_.Cancel(timer); }

  void Post(Task task) override { loop_.Post(std::move(task)); }

  double Random() override { return UniformRandom(); }

 private:
  EventLoop& loop_;
};

}  // namespace baokms::supervisor
