#include "supervisor/cli/commands/commands.h"
#include "supervisor/cli/commands/state_command.h"
#include "supervisor/state_commands/rotation_commands.h"

namespace baokms::supervisor {
namespace {

int PrintRotationPlan(const CommandContext& context) {
  return RunStateCommand(context, RunRotationPlan);
}

constexpr Flag kRotationPlanFlags[] = {kOutputFlag};

}  // namespace

constinit const Command kRotationPlanCommand{
    .name = "rotation-plan",
    .help = "Show how far this node is in a rotation of the Transit key",
    .flags = kRotationPlanFlags,
    .run = PrintRotationPlan};

}  // namespace baokms::supervisor
