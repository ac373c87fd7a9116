// Parses whole numbers as Go's YAML reader does: decimal, 0x, 0o, 0b and 0-prefixed octal, with an
// optional sign. The caller must remove underscores.

#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace baokms::supervisor {

// Returns whether the text is a whole number of any size.
bool IsWholeNumber(std::string_view text);

// Returns the number; nothing if the text is not a whole number or does not fit.
std::optional<std::int64_t> ParseWholeNumber(std::string_view text);

// Parses digits without a sign or a leading zero (except "0" itself), at most `max`.
std::optional<std::uint32_t> ParseCanonicalDecimal(std::string_view text, std::uint32_t max);

// Parses digits, leading zeros allowed, at most `max`.
std::optional<std::uint32_t> ParseDecimal(std::string_view text, std::uint32_t max);

// Parses the digits 0-7, at most `max`.
std::optional<std::uint32_t> ParseOctal(std::string_view text, std::uint32_t max);

}  // namespace baokms::supervisor
