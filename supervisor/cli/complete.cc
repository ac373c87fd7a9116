#include "supervisor/cli/complete.h"

#include <algorithm>
#include <vector>

#include "supervisor/cli/commands/commands.h"

namespace baokms::supervisor {
namespace {

constexpr Flag kHelpFlag{"--help", "", "Print this help"};
constexpr Flag kVersionFlag{"--version", "", "Print the version"};

void Offer(std::string_view name,
           std::string_view help,
           std::string_view current,
           std::string& out) {
  if (name.starts_with('-') && !current.starts_with('-')) {
    return;  // flags are offered only after a typed dash
  }
  if (name.starts_with(current)) {
    out.append(name).append(help.empty() ? "" : "\t").append(help).append("\n");
  }
}

// The position in the command tree to which the words lead.
class CommandCursor final {
 public:
  void Enter(std::string_view word) {
    if (const Command* child = Find(word)) {
      // "help" takes the path of another command.
      in_help_ = in_help_ || child == &kHelpCommand;
      command_ = child == &kHelpCommand ? nullptr : child;
    }
  }

  // Returns the flag of that name, or null.
  [[nodiscard]] const Flag* FindFlag(std::string_view name) const {
    for (const auto flags : {OwnFlags(), std::span<const Flag>(kGlobalFlags)}) {
      const auto found = std::ranges::find(flags, name, &Flag::name);
      if (found != flags.end()) {
        return &*found;
      }
    }
    return nullptr;
  }

  [[nodiscard]] std::string Candidates(std::string_view current) const {
    std::string out;
    for (const Command* child : Children()) {
      Offer(child->name, child->help, current, out);
    }
    if (in_help_) {
      return out;
    }
    for (const auto flags : {OwnFlags(), std::span<const Flag>(kGlobalFlags)}) {
      for (const Flag& flag : flags) {
        Offer(flag.name, flag.help, current, out);
      }
    }
    Offer(kHelpFlag.name, kHelpFlag.help, current, out);
    if (command_ == nullptr) {
      Offer(kVersionFlag.name, kVersionFlag.help, current, out);
    }
    return out;
  }

 private:
  [[nodiscard]] std::span<const Flag> OwnFlags() const {
    return command_ == nullptr ? std::span<const Flag>() : command_->flags;
  }

  [[nodiscard]] std::vector<const Command*> Children() const {
    if (command_ == nullptr) {
      return {kCommands.begin(), kCommands.end()};
    }
    std::vector<const Command*> children;
    for (const Command& child : command_->children) {
      children.push_back(&child);
    }
    return children;
  }

  [[nodiscard]] const Command* Find(std::string_view name) const {
    const std::vector<const Command*> children = Children();
    const auto found = std::ranges::find(children, name, &Command::name);
    return found == children.end() ? nullptr : *found;
  }

  const Command* command_ = nullptr;  // null: the program itself
  bool in_help_ = false;
};

// Returns the values of a flag, each preceded by `before`.
std::string ValuesOf(const Flag& flag, std::string_view before, std::string_view current) {
  std::string out;
  if (flag.value == kPathValue) {
    return ":files\n";
  }
  if (flag.value == kFormatValue) {
    for (const char* format : {"text", "json"}) {
      Offer(std::string(before).append(format), "", current, out);
    }
  }
  return out;
}

}  // namespace

std::string Complete(std::span<const std::string> words) {
  if (words.empty()) {
    return "";
  }
  const std::string current = words.back() == "=" ? std::string() : words.back();
  CommandCursor cursor;
  const Flag* open = nullptr;  // the flag whose value comes next
  for (const std::string& word : words.first(words.size() - 1)) {
    if (word == "=") {
      continue;
    }
    if (open != nullptr) {
      open = nullptr;
    } else if (word.starts_with('-')) {
      const Flag* flag = cursor.FindFlag(word);
      open = flag == nullptr || flag->value.empty() ? nullptr : flag;
    } else {
      cursor.Enter(word);
    }
  }
  if (open != nullptr) {
    return ValuesOf(*open, "", current);
  }
  const std::size_t equals = current.find('=');
  if (equals == std::string::npos) {
    return cursor.Candidates(current);
  }
  const std::string before = current.substr(0, equals + 1);
  const Flag* flag = cursor.FindFlag(current.substr(0, equals));
  return flag == nullptr ? "" : ValuesOf(*flag, before, current);
}

}  // namespace baokms::supervisor
