#include "supervisor/cli/commands/commands.h"
#include "supervisor/cli/commands/state_command.h"
#include "supervisor/state_commands/recovery_commands.h"

namespace baokms::supervisor {
namespace {

constexpr Flag kInputFileFlag{"--input-file", kPathValue, "File that export-state wrote on a peer"};

int ExecuteImportState(const CommandContext& context) {
  const std::string file = context.ValueOrEmpty(kInputFileFlag.name);
  if (file.empty()) {
    return context.FailUsage("--input-file is required");
  }
  return RunReviewedCommand(
      context, [&file](const CommandHost& host, const ReviewedHash& reviewed) {
        return RunImportState(host, {.input_file = file, .reviewed = reviewed});
      });
}

constexpr Flag kImportStateFlags[] = {kInputFileFlag, kApplyFlag, kExpectedNextHashFlag,
                                      kOutputFlag};

}  // namespace

constinit const Command kImportStateCommand{
    .name = "import-state",
    .help = "Import the exported registry of a peer; only shows a plan without --apply",
    .flags = kImportStateFlags,
    .run = ExecuteImportState};

}  // namespace baokms::supervisor
