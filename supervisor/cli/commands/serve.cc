#include <unistd.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "supervisor/cli/commands/commands.h"
#include "supervisor/cli/prepare.h"
#include "supervisor/cli/version.h"
#include "supervisor/isolation/observation.h"

namespace baokms::supervisor {
namespace {

ReloadedOptions Reload(const LoadOptions& load) {
  CheckedConfig checked = Prepare(load, HostChecks::kAll, ::geteuid());
  if (!checked.options) {
    return {.options = nullptr, .refusal = DescribeProblems(checked.problems)};
  }
  return {.options = std::make_shared<const ServeOptions>(std::move(*checked.options)),
          .refusal = {}};
}

constexpr Flag kCheckFlag{"--check", "",
                          "Check the configuration and the filters of all processes, then exit"};

// Starts every process as `serve` would. Each proves its filter before it reports.
int CheckServe(const CommandContext& context, const ServeOptions& options) {
  std::optional<ReportedIsolation> isolation;
  const auto failure = context.hooks().dry_start(
      options, [&isolation](pid_t /*supervisor*/, const std::string& reported) {
        isolation = ParseIsolation(reported);
      });
  if (failure) {
    return context.Fail(static_cast<ExitCode>(failure->exit_code), failure->line);
  }
  std::string confined;
  std::string unconfined;
  for (const auto& [name, process] :
       isolation ? isolation->processes : std::map<std::string, ReportedProcess>()) {
    (process.confined ? confined : unconfined).append(" ").append(name);
  }
  return unconfined.empty() && !confined.empty()
             ? context.Print("the configuration is valid, and these processes are confined:" +
                             confined + "\n")
             : context.Fail(ExitCode::kCheck, "not confined:" + unconfined);
}

int RunServe(const CommandContext& context) {
  CheckedConfig checked = Prepare(context.load(), HostChecks::kAll);
  if (!checked.options) {
    context.hooks().refuse(DescribeProblems(checked.problems));
    return static_cast<int>(ExitCode::kConfig);
  }
  checked.options->build = ThisBuild();
  if (context.IsOn(kCheckFlag.name)) {
    return CheckServe(context, *checked.options);
  }
  checked.options->reload = [&context] {
    return Reload(context.load());
  };
  return context.hooks().serve(*checked.options);
}

constexpr Flag kServeFlags[] = {kCheckFlag};

}  // namespace

constinit const Command kServeCommand{
    .name = "serve", .help = "Run the provider", .flags = kServeFlags, .run = RunServe};

}  // namespace baokms::supervisor
