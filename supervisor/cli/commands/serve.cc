#include <unistd.h>

#include <memory>
#include <utility>

#include "supervisor/cli/commands/commands.h"
#include "supervisor/cli/prepare.h"
#include "supervisor/cli/version.h"

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

int RunServe(const CommandContext& context) {
  CheckedConfig checked = Prepare(context.load(), HostChecks::kAll);
  if (!checked.options) {
    context.hooks().refuse(DescribeProblems(checked.problems));
    return static_cast<int>(ExitCode::kConfig);
  }
  checked.options->build = ThisBuild();
  checked.options->reload = [&context] {
    return Reload(context.load());
  };
  return context.hooks().serve(*checked.options);
}

}  // namespace

constinit const Command kServeCommand{.name = "serve", .help = "Run the provider", .run = RunServe};

}  // namespace baokms::supervisor
