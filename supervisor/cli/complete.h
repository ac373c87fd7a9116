// The hidden command `__complete`, which the completion scripts call to learn what may stand at the
// cursor.

#pragma once

#include <span>
#include <string>
#include <string_view>

namespace baokms::supervisor {

inline constexpr std::string_view kCompleteCommand = "__complete";

// Completes the last of `words`, which are those after the program's name. Returns one candidate
// per line, followed by a tab and its help if it has one; the line ":files" asks the shell for its
// own file completion. bash splits words at "=": a word "=" alone counts as empty in the last
// position and is skipped elsewhere.
std::string Complete(std::span<const std::string> words);

}  // namespace baokms::supervisor
