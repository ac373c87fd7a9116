#include "common/contract/encoding.h"
#include "supervisor/cli/commands/commands.h"
#include "supervisor/cli/commands/state_command.h"
#include "supervisor/state_commands/recovery_commands.h"

namespace baokms::supervisor {
namespace {

constexpr Flag kReportFileFlag{"--output-file", kPathValue, "Write the report to this new file"};
constexpr Flag kExpectedKeyFlag{
    "--expected-active-key-id-hash", "HASH",
    "activeKeyIdHash of a healthy node; fail if this node would get another one"};

int ExecuteRecoverState(const CommandContext& context) {
  const auto expected = context.Value(kExpectedKeyFlag.name);
  if (expected.has_value() && !contract::IsEncodedDigest(*expected)) {
    return context.FailUsage("--expected-active-key-id-hash must be a key ID hash: 43 characters");
  }
  const auto report_file = context.Value(kReportFileFlag.name);
  if (report_file == "") {
    return context.FailUsage("--output-file must not be empty");
  }
  return RunReviewedCommand(
      context,
      [&expected](const CommandHost& host, const ReviewedHash& reviewed) {
        return RunRecoverState(
            host, {.expected_active_key_id_hash = expected.value_or(""), .reviewed = reviewed});
      },
      report_file.value_or(""));
}

constexpr Flag kRecoverStateFlags[] = {kReportFileFlag, kExpectedKeyFlag, kApplyFlag,
                                       kExpectedNextHashFlag, kOutputFlag};

}  // namespace

constinit const Command kRecoverStateCommand{
    .name = "recover-state",
    .help = "Rebuild a lost registry from the key in OpenBao; only shows a plan without --apply",
    .flags = kRecoverStateFlags,
    .run = ExecuteRecoverState};

}  // namespace baokms::supervisor
