// Small questions about text that several rules of the configuration ask.

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace baokms::supervisor {

// Offset of the first byte that is not part of valid UTF-8 (no surrogates, no overlong forms).
std::optional<std::size_t> FindInvalidUtf8(std::string_view text);

// The text without Unicode white space at both ends.
std::string_view TrimSpace(std::string_view text);

// Empty or white space only.
bool IsBlank(std::string_view text);

bool EqualsIgnoringAsciiCase(std::string_view a, std::string_view b);

// For text of unknown origin in a message: printable ASCII is kept, all else becomes "?", and the
// end is cut after 64 bytes.
std::string Printable(std::string_view text);

}  // namespace baokms::supervisor
