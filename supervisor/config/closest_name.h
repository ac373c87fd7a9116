// "Did you mean ...?" for mistyped keys and commands.

#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace baokms::supervisor {

// Returns the candidate that `name` most likely misspells: equal except for case, or at most two
// letters (in names of up to four letters: one) inserted, removed or replaced.
std::optional<std::string_view> ClosestName(std::string_view name,
                                            std::span<const std::string_view> candidates);

}  // namespace baokms::supervisor
