#include "supervisor/cli/commands/commands.h"
#include "supervisor/cli/commands/state_command.h"
#include "supervisor/state_commands/recovery_commands.h"

namespace baokms::supervisor {
namespace {

constexpr Flag kOutputFileFlag{"--output-file", kPathValue, "Write the registry to this new file"};

int ExecuteExportState(const CommandContext& context) {
  const std::string file = context.ValueOrEmpty(kOutputFileFlag.name);
  if (file.empty()) {
    return context.FailUsage("--output-file is required");
  }
  return RunStateCommand(context, [&file](const CommandHost& host) {
    return RunExportState(host, {.output_file = file});
  });
}

constexpr Flag kExportStateFlags[] = {kOutputFileFlag, kOutputFlag};

}  // namespace

constinit const Command kExportStateCommand{
    .name = "export-state",
    .help = "Check this node's registry and write it to one file",
    .flags = kExportStateFlags,
    .run = ExecuteExportState};

}  // namespace baokms::supervisor
