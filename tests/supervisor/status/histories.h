// Runs many random histories, each from a seed of its own, on all processors.

#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <random>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace baokms::supervisor {

// The seed of the first history: random, or BAOKMS_SEED to repeat a failure.
inline std::uint32_t FirstSeed() {
  const char* const chosen = std::getenv("BAOKMS_SEED");  // NOLINT(concurrency-mt-unsafe)
  return chosen != nullptr ? static_cast<std::uint32_t>(std::strtoul(chosen, nullptr, 10))
                           : std::random_device()();
}

// Calls `history` with `count` consecutive seeds, from several threads at once, until all are done
// or one has failed. A failure is reported with its seed.
inline void RunHistories(std::uint32_t count, const std::function<void(std::uint32_t)>& history) {
  const std::uint32_t first = FirstSeed();
  std::cout << count << " histories, seeds from " << first << " (BAOKMS_SEED repeats them)\n";
  std::atomic<std::uint32_t> next = 0;
  const auto work = [&] {
    for (std::uint32_t i = next++; i < count && !::testing::Test::HasFailure(); i = next++) {
      SCOPED_TRACE(first + i);
      history(first + i);
    }
  };
  std::vector<std::jthread> others;
  for (unsigned more = std::max(std::thread::hardware_concurrency(), 1U); more > 1; --more) {
    others.emplace_back(work);
  }
  work();
}

}  // namespace baokms::supervisor
