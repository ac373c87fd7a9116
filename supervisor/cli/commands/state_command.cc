#include "supervisor/cli/commands/state_command.h"

#include <optional>

#include "supervisor/cli/prepare.h"
#include "supervisor/cli/version.h"
#include "supervisor/state_commands/report_file.h"

namespace baokms::supervisor {

int PrintReport(const CommandContext& context,
                const CommandReport& report,
                std::string_view failure) {
  const std::string text = report.ToString(context.output());
  if (failure.empty()) {
    return context.Print(text);
  }
  context.Write(text);
  return context.Fail(ExitCode::kCheck, failure);
}

int RunStateCommand(const CommandContext& context,
                    const std::function<CommandResult(const CommandHost&)>& command,
                    const std::string& report_file) {
  CheckedConfig checked = Prepare(context.load(), HostChecks::kCaBundles);
  if (!checked.options) {
    return context.FailConfig(checked.problems);
  }
  checked.options->build = ThisBuild();
  const CommandHost host{.options = *checked.options,
                         .read_live_key = context.hooks().read_live_key};
  const CommandResult result = command(host);
  if (report_file.empty()) {
    return PrintReport(context, result.report, result.failure);
  }
  const std::string text = result.report.ToString(context.output());
  if (const Status written = WriteNewFile(report_file, text); !written) {
    context.Write(text);
    return context.Fail(ExitCode::kUnclassified,
                        CannotSentence("write --output-file", written.error()));
  }
  return result.failure.empty() ? static_cast<int>(ExitCode::kOk)
                                : context.Fail(ExitCode::kCheck, result.failure);
}

int RunReviewedCommand(
    const CommandContext& context,
    const std::function<CommandResult(const CommandHost&, const ReviewedHash&)>& command,
    const std::string& report_file) {
  const std::optional<std::string> expected = context.Value(kExpectedHashName);
  const bool apply = context.IsOn(kApplyFlag.name);
  if (!apply && expected) {
    return context.FailUsage("--expected-state-hash requires --apply");
  }
  if (apply && !expected) {
    return context.FailUsage(
        "--apply requires --expected-state-hash with the hash of the reviewed plan");
  }
  ReviewedHash reviewed;
  if (apply) {
    const auto hash = contract::StateHash::Parse(*expected);
    if (!hash) {
      return context.FailUsage(
          "--expected-state-hash must be a state hash: krs1. and 43 characters");
    }
    reviewed = *hash;
  }
  return RunStateCommand(
      context, [&](const CommandHost& host) { return command(host, reviewed); }, report_file);
}

}  // namespace baokms::supervisor
