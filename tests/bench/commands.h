// What the load tool can be told to do. Each prints lines for the scripts that started it.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "common/base/result.h"

namespace baokms::bench {

// Reads the settings (one line of JSON) from standard input; a line of JSON for each step.
Status RunSteps();

// Waits until an Encrypt succeeds, then prints the time: nanoseconds of CLOCK_MONOTONIC.
Status ShowFirstEncrypt(const std::string& socket_path);

// Forged requests at a rate; a line of JSON with how they were answered.
Status ShowFlood(const std::string& socket_path,
                 std::uint32_t per_second,
                 std::chrono::milliseconds duration);

}  // namespace baokms::bench
