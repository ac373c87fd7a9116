// Commands and flags as plain data, free of the library that parses them.

#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace baokms::supervisor {

inline constexpr std::string_view kProgramName = "bao-kms-provider";

enum class FlagValueKind { kNone, kText, kFile };

struct FlagNode {
  // With its dashes.
  std::string name;
  std::string description;
  FlagValueKind value;
  // What may be completed after it; may be empty.
  std::vector<std::string> choices;
};

struct CommandNode {
  std::string name;
  std::string description;
  std::vector<FlagNode> flags;
  std::vector<CommandNode> children;
};

// One command with the words that lead to it: "config schema"; "" for the program itself.
struct CommandPath {
  std::string path;
  const CommandNode* node;
};

// The tree as a list, parents first. The pointers are into `root`.
std::vector<CommandPath> Flatten(const CommandNode& root);

}  // namespace baokms::supervisor
