// Each case is a process of its own, since it blocks signals for good.

#include "supervisor/serve/signal_watcher.h"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <future>
#include <utility>

#include <gtest/gtest.h>

#include "common/base/clock.h"

namespace baokms::supervisor {
namespace {

constexpr int kOverdue = 5;

// The status of a process that sends itself `signal` while its event loop, this thread, is stuck.
template <typename Act>
int ExitOf(BootTime stop_limit, Act act) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    std::promise<int> signals;
    auto watcher =
        SignalWatcher::Create({.on_signal = [&signals](int signal) { signals.set_value(signal); },
                               .on_overdue = [] { ::_exit(kOverdue); },
                               .stop_limit = stop_limit});
    ::_exit(watcher ? act(**watcher, signals.get_future()) : 99);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int StayStuck() {
  for (;;) {
    ::pause();
  }
}

TEST(SignalWatcherTest, EndsAProcessWhoseEventLoopIsStuckAfterSigterm) {
  EXPECT_EQ(ExitOf(std::chrono::milliseconds(50),
                   [](SignalWatcher&, std::future<int> signal) {
                     (void)::kill(::getpid(), SIGTERM);
                     return signal.get() == SIGTERM ? StayStuck() : 98;
                   }),
            kOverdue);
}

TEST(SignalWatcherTest, LimitsAStopThatBeganWithoutASignal) {
  EXPECT_EQ(ExitOf(std::chrono::milliseconds(50),
                   [](SignalWatcher& watcher, std::future<int>) {
                     watcher.BeginStop();
                     return StayStuck();
                   }),
            kOverdue);
}

TEST(SignalWatcherTest, DoesNotLimitAReload) {
  EXPECT_EQ(ExitOf(std::chrono::milliseconds(1),
                   [](SignalWatcher& watcher, std::future<int> signal) {
                     (void)::kill(::getpid(), SIGHUP);
                     const bool reload = signal.get() == SIGHUP;
                     // A stop that is ordered now has its whole limit before it.
                     ::usleep(20'000);
                     (void)watcher;
                     return reload ? 0 : 98;
                   }),
            0);
}

}  // namespace
}  // namespace baokms::supervisor
