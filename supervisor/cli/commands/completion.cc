#include <string_view>

#include "supervisor/cli/commands/commands.h"

namespace baokms::supervisor {
namespace {

// The scripts only pass the command line's words to the hidden command `__complete`, whose output
// supervisor/cli/complete.h describes.

constexpr std::string_view kBash = R"(# bash completion for bao-kms-provider
_bao_kms_provider() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    if [ "$line" = ":files" ]; then
      mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]#=}")
      compopt -o filenames 2>/dev/null
    else
      COMPREPLY+=("${line%%$'\t'*}")
    fi
  done < <("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _bao_kms_provider bao-kms-provider
)";

constexpr std::string_view kZsh = R"(#compdef bao-kms-provider
_bao_kms_provider() {
  local line
  local -a choices
  while IFS= read -r line; do
    if [[ $line == ":files" ]]; then
      _files
      return
    fi
    choices+=("${line/$'\t'/:}")
  done < <("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe 'bao-kms-provider' choices
}
compdef _bao_kms_provider bao-kms-provider
)";

constexpr std::string_view kFish = R"(# fish completion for bao-kms-provider
function __bao_kms_provider_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  for line in ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
    if test "$line" = ":files"
      __fish_complete_path "$current"
    else
      echo $line
    end
  end
end
complete -c bao-kms-provider -f -a '(__bao_kms_provider_complete)'
)";

// Versions before 7.3 drop empty arguments, so "=" stands for an empty word.
constexpr std::string_view kPowerShell = R"(# PowerShell completion for bao-kms-provider
Register-ArgumentCompleter -Native -CommandName 'bao-kms-provider' -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
    Where-Object { $_.Extent.EndOffset -lt $cursorPosition } | ForEach-Object { $_.ToString() })
  $current = if ($wordToComplete) { "$wordToComplete" } else { '=' }
  & $commandAst.CommandElements[0].ToString() __complete @words $current 2>$null |
    Where-Object { $_ -ne ':files' } | ForEach-Object {
      $name, $help = $_ -split "`t", 2
      $help = if ($help) { $help } else { $name }
      [System.Management.Automation.CompletionResult]::new($name, $name, 'ParameterValue', $help)
    }
}
)";

template <const std::string_view& kScript>
int PrintScript(const CommandContext& context) {
  return context.Print(kScript);
}

constexpr std::string_view kHelp = "Print the script for this shell";

constexpr Command kShells[] = {
    {.name = "bash", .help = kHelp, .run = PrintScript<kBash>},
    {.name = "fish", .help = kHelp, .run = PrintScript<kFish>},
    {.name = "powershell", .help = kHelp, .run = PrintScript<kPowerShell>},
    {.name = "zsh", .help = kHelp, .run = PrintScript<kZsh>}};

}  // namespace

constinit const Command kCompletionCommand{
    .name = "completion", .help = "Print a completion script for a shell", .children = kShells};

}  // namespace baokms::supervisor
