// Runs an event loop in the middle of a test.

#pragma once

#include <dirent.h>

#include <chrono>
#include <functional>

#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/event_loop.h"

namespace baokms::supervisor {

inline constexpr BootTime kPatience = std::chrono::seconds(5);

// Runs the loop until `done` holds. False: it did not within kPatience.
inline bool RunUntil(EventLoop& loop, const std::function<bool()>& done) {
  const BootTime end = BootNow() + kPatience;
  bool held = false;
  EventLoop::TimerId timer = 0;
  std::function<void()> look = [&] {
    held = done();
    if (held || BootNow() >= end) {
      loop.Stop();
    } else {
      timer = loop.After(std::chrono::milliseconds(1), look);
    }
  };
  timer = loop.After(BootTime::zero(), look);
  EXPECT_TRUE(loop.Run().has_value());
  loop.Cancel(timer);
  return held;
}

inline void RunFor(EventLoop& loop, BootTime time) {
  const BootTime end = BootNow() + time;
  RunUntil(loop, [end] { return BootNow() >= end; });
}

// Open descriptors of this process.
inline int CountDescriptors() {
  int count = 0;
  DIR* directory = ::opendir("/proc/self/fd");
  while (::readdir(directory) != nullptr) {
    ++count;
  }
  ::closedir(directory);
  return count;
}

}  // namespace baokms::supervisor
