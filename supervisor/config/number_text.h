// Whole numbers as Go's YAML reader takes them: decimal, 0x, 0o, 0b and 0-prefixed octal, with an
// optional sign. Underscores have to be removed by the caller.

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace baokms::supervisor {

// Whether the text is a whole number of any size.
bool IsWholeNumber(std::string_view text);

// The number, or nothing when the text is none or the number does not fit.
std::optional<std::int64_t> ParseWholeNumber(std::string_view text);

// Digits only, no sign, no leading zero but "0" itself, at most `max`.
std::optional<std::uint32_t> ParseCanonicalDecimal(std::string_view text, std::uint32_t max);

// Digits only, leading zeros allowed, at most `max`.
std::optional<std::uint32_t> ParseDecimal(std::string_view text, std::uint32_t max);

// Digits 0-7 only, at most `max`.
std::optional<std::uint32_t> ParseOctal(std::string_view text, std::uint32_t max);

}  // namespace baokms::supervisor
