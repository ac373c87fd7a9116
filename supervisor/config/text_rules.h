// Text functions that several rules of the configuration share.

#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace baokms::supervisor {

// Returns the offset of the first byte that is not part of valid UTF-8 (no surrogates, no overlong
// forms).
std::optional<std::size_t> FindInvalidUtf8(std::string_view text);

// Returns the text without Unicode white space at both ends.
std::string_view TrimSpace(std::string_view text);

// Returns whether the text is empty or consists of white space.
bool IsBlank(std::string_view text);

bool EqualsIgnoringAsciiCase(std::string_view a, std::string_view b);

// Makes text of unknown origin safe for a message: keeps printable ASCII, replaces everything else
// by "?", and truncates to 64 bytes.
std::string Printable(std::string_view text);

// Returns the candidate that `name` most likely misspells: equal except for case, or at most two
// letters (in names of up to four letters: one) inserted, removed or replaced.
std::optional<std::string_view> ClosestName(std::string_view name,
                                            std::span<const std::string_view> candidates);

}  // namespace baokms::supervisor
