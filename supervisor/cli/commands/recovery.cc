#include <string>

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
  if (expected && !contract::IsEncodedDigest(*expected)) {
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

int ExecuteMigrateState(const CommandContext& context) {
  return RunReviewedCommand(context, [](const CommandHost& host, const ReviewedHash& reviewed) {
    return RunMigrateState(host, {.reviewed = reviewed});
  });
}

constexpr Flag kMigrateStateFlags[] = {kApplyFlag, kExpectedNextHashFlag, kOutputFlag};

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

constinit const Command kRecoverStateCommand{
    .name = "recover-state",
    .help = "Rebuild a lost registry from the key in OpenBao; only shows a plan without --apply",
    .flags = kRecoverStateFlags,
    .run = ExecuteRecoverState};

constinit const Command kMigrateStateCommand{
    .name = "migrate-state",
    .help = "Migrate a v1alpha1 state file to v1alpha2; only shows a plan without --apply",
    .flags = kMigrateStateFlags,
    .run = ExecuteMigrateState};

constinit const Command kExportStateCommand{
    .name = "export-state",
    .help = "Check this node's registry and write it to one file",
    .flags = kExportStateFlags,
    .run = ExecuteExportState};

constinit const Command kImportStateCommand{
    .name = "import-state",
    .help = "Import the exported registry of a peer; only shows a plan without --apply",
    .flags = kImportStateFlags,
    .run = ExecuteImportState};

}  // namespace baokms::supervisor
