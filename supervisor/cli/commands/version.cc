#include "supervisor/cli/version.h"

#include "supervisor/cli/commands/commands.h"
#include "supervisor/cli/commands/state_command.h"

namespace baokms::supervisor {
namespace {

int RunVersion(const CommandContext& context) {
  const BuildInfo build = ThisBuild();
  CommandReport report;
  report.Add("version", build.version);
  report.Add("commit", build.commit);
  report.Add("buildDate", build.build_date);
  report.Add("dirty", build.dirty);
  return PrintReport(context, report, "");
}

constexpr Flag kVersionFlags[] = {kOutputFlag};

}  // namespace

constinit const Command kVersionCommand{.name = "version",
                                        .help = "Print version and build",
                                        .flags = kVersionFlags,
                                        .run = RunVersion};

}  // namespace baokms::supervisor
