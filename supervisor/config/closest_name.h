// "Did you mean ...?" for mistyped keys and commands.

#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace baokms::supervisor {

// The candidate that `name` is most likely a misspelling of: equal but for case, or at most two
// (for names up to four letters: one) inserted, removed, replaced letters away.
std::optional<std::string_view> ClosestName(std::string_view name,
                                            std::span<const std::string_view> candidates);

}  // namespace baokms::supervisor
