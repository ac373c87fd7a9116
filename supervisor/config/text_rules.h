// Text functions that several rules of the configuration share.

#pragma once

#include <cstddef>
#include <optional>
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

}  // namespace baokms::supervisor
