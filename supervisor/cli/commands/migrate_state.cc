#include "supervisor/cli/commands/commands.h"
#include "supervisor/cli/commands/state_command.h"
#include "supervisor/state_commands/recovery_commands.h"

namespace baokms::supervisor {
namespace {

int ExecuteMigrateState(const CommandContext& context) {
  return RunReviewedCommand(context, [](const CommandHost& host, const ReviewedHash& reviewed) {
    return RunMigrateState(host, {.reviewed = reviewed});
  });
}

constexpr Flag kMigrateStateFlags[] = {kApplyFlag, kExpectedNextHashFlag, kOutputFlag};

}  // namespace

constinit const Command kMigrateStateCommand{
    .name = "migrate-state",
    .help = "Migrate a v1alpha1 state file to v1alpha2; only shows a plan without --apply",
    .flags = kMigrateStateFlags,
    .run = ExecuteMigrateState};

}  // namespace baokms::supervisor
