// Completion scripts, generated from the command tree, so that they know what the parser knows.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "supervisor/cli/command_tree.h"

namespace baokms::supervisor {

enum class Shell { kBash, kFish, kPowerShell, kZsh };

// "bash", "fish", "powershell", "zsh".
std::optional<Shell> ParseShell(std::string_view name);

// A script for the user's shell to read. Ends with a newline.
std::string CompletionScript(Shell shell, const CommandNode& root);

}  // namespace baokms::supervisor
