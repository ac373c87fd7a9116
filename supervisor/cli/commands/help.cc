#include <string>
#include <variant>

#include "supervisor/cli/command_line.h"
#include "supervisor/cli/commands/commands.h"

namespace baokms::supervisor {
namespace {

int RunHelp(const CommandContext& context) {
  const auto help = HelpText(context.words());
  if (const auto* error = std::get_if<UsageError>(&help)) {
    return context.FailUsage(error->message);
  }
  return context.Print(std::get<std::string>(help));
}

constexpr Flag kHelpFlags[] = {{"command", "", "Command to describe"}};

}  // namespace

constinit const Command kHelpCommand{
    .name = "help", .help = "Print the help of a command", .flags = kHelpFlags, .run = RunHelp};

}  // namespace baokms::supervisor
