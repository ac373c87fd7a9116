#include "supervisor/cli/completion.h"

#include <vector>

namespace baokms::supervisor {
namespace {

// All scripts work alike: from the words before the cursor they find the command that is meant
// ("path"), then offer its commands and flags; after a flag with a value, the value's choices or
// files.

std::vector<std::string> WordsOf(const CommandNode& node) {
  std::vector<std::string> words;
  for (const CommandNode& child : node.children) {
    words.push_back(child.name);
  }
  for (const FlagNode& flag : node.flags) {
    words.push_back(flag.name);
  }
  return words;
}

std::string Join(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const std::string& word : words) {
    text.append(text.empty() ? "" : separator).append(word);
  }
  return text;
}

// Single quotes for a shell; the descriptions are ours, but may hold an apostrophe.
std::string Quote(std::string_view text, std::string_view escaped_quote) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted.append(escaped_quote);
    } else {
      quoted.push_back(c);
    }
  }
  return quoted.append("'");
}

std::string ShellQuote(std::string_view text) {
  return Quote(text, "'\\''");
}

// Lines of a shell "case" that lead from a path and a word to the next path.
std::string TransitionCases(const std::vector<CommandPath>& commands, std::string_view indent) {
  std::string text;
  for (const CommandPath& command : commands) {
    for (const CommandNode& child : command.node->children) {
      const std::string from = command.path.empty() ? child.name : command.path + " " + child.name;
      text.append(indent).append("\"").append(command.path).append("/").append(child.name);
      text.append("\") path=\"").append(from).append("\" ;;\n");
    }
  }
  return text;
}

struct ValueFlags {
  std::vector<FlagNode> with_choices;
  std::vector<std::string> without;
};

ValueFlags FlagsWithValue(const std::vector<CommandPath>& commands) {
  ValueFlags flags;
  std::vector<std::string> seen;
  for (const CommandPath& command : commands) {
    for (const FlagNode& flag : command.node->flags) {
      bool known = false;
      for (const std::string& name : seen) {
        known = known || name == flag.name;
      }
      if (known || flag.value == FlagValueKind::kNone) {
        continue;
      }
      seen.push_back(flag.name);
      if (flag.choices.empty()) {
        flags.without.push_back(flag.name);
      } else {
        flags.with_choices.push_back(flag);
      }
    }
  }
  return flags;
}

std::string BashScript(const std::vector<CommandPath>& commands) {
  const ValueFlags flags = FlagsWithValue(commands);
  std::string text =
      "# bash completion for bao-kms-provider\n"
      "_bao_kms_provider() {\n"
      "  local cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
      "  local path=\"\" word words=\"\"\n"
      "  case \"$prev\" in\n";
  for (const FlagNode& flag : flags.with_choices) {
    text.append("    ").append(flag.name).append(") mapfile -t COMPREPLY < <(compgen -W \"");
    text.append(Join(flag.choices, " ")).append("\" -- \"$cur\"); return ;;\n");
  }
  text.append("    ").append(Join(flags.without, "|"));
  text.append(") mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n");
  text.append(
      "  esac\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
      "    case \"$path/$word\" in\n");
  text.append(TransitionCases(commands, "      "));
  text.append(
      "    esac\n"
      "  done\n"
      "  case \"$path\" in\n");
  for (const CommandPath& command : commands) {
    text.append("    \"").append(command.path).append("\") words=\"");
    text.append(Join(WordsOf(*command.node), " ")).append("\" ;;\n");
  }
  return text.append(
      "  esac\n"
      "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
      "}\n"
      "complete -F _bao_kms_provider bao-kms-provider\n");
}

void AppendZshWords(const CommandNode& node, std::string& text) {
  for (const CommandNode& child : node.children) {
    text.append("\n        ").append(ShellQuote(child.name + ":" + child.description));
  }
  for (const FlagNode& flag : node.flags) {
    text.append("\n        ").append(ShellQuote(flag.name + ":" + flag.description));
  }
}

std::string ZshScript(const std::vector<CommandPath>& commands) {
  const ValueFlags flags = FlagsWithValue(commands);
  std::string text =
      "#compdef bao-kms-provider\n"
      "_bao_kms_provider() {\n"
      "  local path=\"\" word\n"
      "  local -a choices\n"
      "  case \"${words[CURRENT-1]}\" in\n";
  for (const FlagNode& flag : flags.with_choices) {
    text.append("    ").append(flag.name).append(") compadd -- ");
    text.append(Join(flag.choices, " ")).append("; return ;;\n");
  }
  text.append("    ").append(Join(flags.without, "|")).append(") _files; return ;;\n");
  text.append(
      "  esac\n"
      "  for word in \"${(@)words[2,CURRENT-1]}\"; do\n"
      "    case \"$path/$word\" in\n");
  text.append(TransitionCases(commands, "      "));
  text.append(
      "    esac\n"
      "  done\n"
      "  case \"$path\" in\n");
  for (const CommandPath& command : commands) {
    text.append("    \"").append(command.path).append("\")\n      choices=(");
    AppendZshWords(*command.node, text);
    text.append(") ;;\n");
  }
  return text.append(
      "  esac\n"
      "  _describe 'bao-kms-provider' choices\n"
      "}\n"
      "compdef _bao_kms_provider bao-kms-provider\n");
}

void AppendFishFlag(const CommandPath& command, const FlagNode& flag, std::string& text) {
  text.append("complete -c bao-kms-provider -n '__bao_kms_provider_at ");
  text.append("\"").append(command.path).append("\"'");
  if (flag.name.starts_with("--")) {
    text.append(" -l ").append(flag.name.substr(2));
  } else {
    text.append(" -s ").append(flag.name.substr(1));
  }
  if (flag.value == FlagValueKind::kFile) {
    text.append(" -r -F");
  } else if (flag.value == FlagValueKind::kText) {
    text.append(" -x");
  }
  if (!flag.choices.empty()) {
    text.append(" -a '").append(Join(flag.choices, " ")).append("'");
  }
  text.append(" -d ").append(Quote(flag.description, "\\'")).append("\n");
}

std::string FishScript(const std::vector<CommandPath>& commands) {
  std::string text =
      "# fish completion for bao-kms-provider\n"
      "function __bao_kms_provider_at\n"
      "  set -l path \"\"\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    switch \"$path/$word\"\n";
  for (const CommandPath& command : commands) {
    for (const CommandNode& child : command.node->children) {
      text.append("      case \"").append(command.path).append("/").append(child.name);
      text.append("\"\n        set path \"");
      text.append(command.path.empty() ? child.name : command.path + " " + child.name);
      text.append("\"\n");
    }
  }
  text.append(
      "    end\n"
      "  end\n"
      "  test \"$path\" = \"$argv[1]\"\n"
      "end\n"
      "complete -c bao-kms-provider -f\n");
  for (const CommandPath& command : commands) {
    for (const CommandNode& child : command.node->children) {
      text.append("complete -c bao-kms-provider -n '__bao_kms_provider_at \"");
      text.append(command.path).append("\"' -a ").append(child.name);
      text.append(" -d ").append(Quote(child.description, "\\'")).append("\n");
    }
    for (const FlagNode& flag : command.node->flags) {
      AppendFishFlag(command, flag, text);
    }
  }
  return text;
}

std::string PowerShellScript(const std::vector<CommandPath>& commands) {
  std::string text =
      "# PowerShell completion for bao-kms-provider\n"
      "Register-ArgumentCompleter -Native -CommandName 'bao-kms-provider' -ScriptBlock {\n"
      "  param($wordToComplete, $commandAst, $cursorPosition)\n"
      "  $path = ''\n"
      "  $next = @{\n";
  for (const CommandPath& command : commands) {
    for (const CommandNode& child : command.node->children) {
      text.append("    '").append(command.path).append("/").append(child.name).append("' = '");
      text.append(command.path.empty() ? child.name : command.path + " " + child.name);
      text.append("'\n");
    }
  }
  text.append("  }\n  $words = @{\n");
  for (const CommandPath& command : commands) {
    text.append("    '").append(command.path).append("' = '");
    text.append(Join(WordsOf(*command.node), " ")).append("'\n");
  }
  return text.append(
      "  }\n"
      "  foreach ($element in $commandAst.CommandElements | Select-Object -Skip 1) {\n"
      "    if ($element.Extent.EndOffset -ge $cursorPosition) { break }\n"
      "    $step = $path + '/' + $element.ToString()\n"
      "    if ($next.ContainsKey($step)) { $path = $next[$step] }\n"
      "  }\n"
      "  $words[$path] -split ' ' | Where-Object { $_ -like \"$wordToComplete*\" } |\n"
      "    ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }\n"
      "}\n");
}

}  // namespace

std::optional<Shell> ParseShell(std::string_view name) {
  if (name == "bash") {
    return Shell::kBash;
  }
  if (name == "fish") {
    return Shell::kFish;
  }
  if (name == "powershell") {
    return Shell::kPowerShell;
  }
  if (name == "zsh") {
    return Shell::kZsh;
  }
  return std::nullopt;
}

std::string CompletionScript(Shell shell, const CommandNode& root) {
  const std::vector<CommandPath> commands = Flatten(root);
  switch (shell) {
    case Shell::kBash:
      return BashScript(commands);
    case Shell::kFish:
      return FishScript(commands);
    case Shell::kPowerShell:
      return PowerShellScript(commands);
    case Shell::kZsh:
      return ZshScript(commands);
  }
  return "";
}

}  // namespace baokms::supervisor
