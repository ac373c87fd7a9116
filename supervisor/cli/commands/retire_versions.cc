#include "common/contract/encoding.h"
#include "supervisor/cli/commands/commands.h"
#include "supervisor/cli/commands/state_command.h"
#include "supervisor/state_commands/version_commands.h"

namespace baokms::supervisor {
namespace {

constexpr Flag kBeforeVersionFlag{
    "--before-version", "N",
    "Retire all versions below this one; above 1 and at most the active version"};

int ExecuteRetireVersions(const CommandContext& context) {
  const auto version =
      contract::ParsePositiveDecimal(context.ValueOrEmpty(kBeforeVersionFlag.name));
  if (!version.has_value() || *version <= 1) {
    return context.FailUsage("--before-version must be a Transit version above 1");
  }
  return RunReviewedCommand(
      context, [&version](const CommandHost& host, const ReviewedHash& reviewed) {
        return RunRetireVersions(host, {.before_version = *version, .reviewed = reviewed});
      });
}

constexpr Flag kRetireVersionsFlags[] = {kBeforeVersionFlag, kApplyFlag, kExpectedStateHashFlag,
                                         kOutputFlag};

}  // namespace

constinit const Command kRetireVersionsCommand{
    .name = "retire-versions",
    .help = "Retire old key versions in this node's registry; only shows a plan without --apply",
    .flags = kRetireVersionsFlags,
    .run = ExecuteRetireVersions};

}  // namespace baokms::supervisor
