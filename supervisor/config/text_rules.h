// Text functions that several rules of the configuration share.

#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/contract/utf8.h"

namespace baokms::supervisor {

using contract::TrimSpace;

// Returns whether the text is empty or consists of white space.
bool IsBlank(std::string_view text);

bool EqualsIgnoringAsciiCase(std::string_view a, std::string_view b);

// Makes text of unknown origin safe for a message: keeps printable ASCII, replaces everything else
// by "?", and truncates to `limit` bytes, of which the default is enough for every name.
std::string Printable(std::string_view text, std::size_t limit = 64);

// Returns the candidate that `name` most likely misspells: equal except for case, or at most two
// letters (in names of up to four letters: one) inserted, removed or replaced.
std::optional<std::string_view> ClosestName(std::string_view name,
                                            std::span<const std::string_view> candidates);

}  // namespace baokms::supervisor
