// Decrypt requests with well-formed key_ids that nobody has, at a fixed rate: what a client that
// forges them does to everybody else. It measures nothing but how they were answered.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "common/base/result.h"

namespace baokms::bench {

struct FloodAnswers {
  std::uint64_t not_found = 0;
  std::uint64_t unavailable = 0;
  std::uint64_t other = 0;  // anything else is a fault of the provider, or its concurrency limit
};

// Sends `per_second` requests a second for `duration` over one connection of its own and waits for
// all answers. No two key_ids are equal.
Result<FloodAnswers> Flood(const std::string& socket_path,
                           std::uint32_t per_second,
                           std::chrono::milliseconds duration);

// One line of JSON.
std::string ToJson(const FloodAnswers& answers);

}  // namespace baokms::bench
