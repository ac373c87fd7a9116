// Waits for the first Encrypt that a starting provider answers.

#pragma once

#include <chrono>
#include <string>

#include "common/base/result.h"

namespace baokms::bench {

// Tries every two milliseconds: first to connect to the socket, then to Encrypt over one
// connection. Returns the time of CLOCK_MONOTONIC when an Encrypt succeeded; fails after 60 s.
Result<std::chrono::nanoseconds> WaitForFirstEncrypt(const std::string& socket_path);

}  // namespace baokms::bench
