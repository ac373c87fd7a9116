// bao-kms-provider: the supervisor and its commands.

#include <sys/types.h>
#include <unistd.h>

#include <cstddef>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "common/base/process.h"
#include "supervisor/cli/cli.h"
#include "supervisor/serve/dry_start.h"
#include "supervisor/serve/helper_programs.h"
#include "supervisor/serve/live_key_query.h"
#include "supervisor/serve/serve.h"

namespace {

void OccupyStandardDescriptors() {
  if (!baokms::OccupyStandardDescriptors()) {
    ::_exit(static_cast<int>(baokms::supervisor::ExitCode::kUnclassified));
  }
}

// Runs before the constructors of all libraries, because gRPC's open descriptors.
[[gnu::used,
  gnu::section(".preinit_array")]] void (*const kBeforeLibraries)() = OccupyStandardDescriptors;

std::string CheckPrograms(uid_t own_user) {
  const auto found = baokms::supervisor::FindHelperPrograms(own_user);
  return found ? std::string() : found.error().line;
}

std::optional<baokms::supervisor::DryStartFailure> DryStart(
    const baokms::supervisor::ServeOptions& options,
    const baokms::supervisor::InspectTree& inspect) {
  const auto failure = baokms::supervisor::DryStart(options, inspect);
  if (!failure) {
    return std::nullopt;
  }
  return baokms::supervisor::DryStartFailure{.exit_code = failure->exit_code,
                                             .line = failure->line};
}

}  // namespace

int main(int argc, char** argv) {
  using baokms::supervisor::ProcessEnvironment;
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  return baokms::supervisor::RunCli(arguments, ProcessEnvironment(),
                                    {.out = std::cout, .err = std::cerr},
                                    {.serve = baokms::supervisor::RunServe,
                                     .refuse = baokms::supervisor::RefuseServe,
                                     .check_programs = CheckPrograms,
                                     .read_live_key = baokms::supervisor::AskForKey,
                                     .dry_start = DryStart});
}
