// Parses durations in Go's notation: "30s", "1h30m", "1.5s", "0".

#pragma once

#include <chrono>
#include <string_view>

#include "common/base/result.h"

namespace baokms::supervisor {

// Parses a signed sequence of decimal numbers, each with one of the units ns, us (or the micro
// sign), ms, s, m, h. "0" needs no unit. Fractions of a nanosecond are truncated. Fails on anything
// else and if the sum does not fit 64 bits of nanoseconds.
Result<std::chrono::nanoseconds> ParseDuration(std::string_view text);

}  // namespace baokms::supervisor
