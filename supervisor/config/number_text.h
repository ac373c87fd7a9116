// Parses numbers and durations as Go does, so that a file of the Go provider keeps its meaning.

#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/base/result.h"
#include "common/base/users.h"

namespace baokms::supervisor {

// Parses a whole number as Go's YAML reader does: decimal, 0x, 0o, 0b and 0-prefixed octal, with an
// optional sign; underscores are ignored. A number that does not fit 64 bits is out of every range,
// so the largest one that fits stands for it. Returns nothing if the text is not a whole number.
std::optional<std::int64_t> ParseWholeNumber(std::string_view text);

// Parses digits, leading zeros allowed, at most `max`.
std::optional<std::uint32_t> ParseDecimal(std::string_view text, std::uint32_t max);

// Parses "uid:gid". (uid_t)-1 and (gid_t)-1 stand for no id and are refused.
std::optional<UserIds> ParseUserIds(std::string_view text);

// Parses the digits 0-7, at most `max`.
std::optional<std::uint32_t> ParseOctal(std::string_view text, std::uint32_t max);

// Parses a duration such as "30s", "1h30m", "1.5s" or "0": a signed sequence of decimal numbers,
// each with one of the units ns, us (or the micro sign), ms, s, m, h. "0" needs no unit. A fraction
// of a nanosecond is truncated. Fails on anything else and if the sum does not fit 64 bits of
// nanoseconds.
Result<std::chrono::nanoseconds> ParseDuration(std::string_view text);

}  // namespace baokms::supervisor
