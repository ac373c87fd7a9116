#include "common/contract/identity.h"
#include "supervisor/cli/commands/commands.h"
#include "supervisor/cli/commands/state_command.h"
#include "supervisor/config/derived.h"
#include "supervisor/config/json_schema.h"
#include "supervisor/config/reference.h"
#include "supervisor/config/validate.h"

namespace baokms::supervisor {
namespace {

// The fingerprint is left out while the identity is incomplete.
CommandReport Describe(const Config& config) {
  CommandReport report;
  report.Add("configVersion", config.config_version);
  report.Add("socketPath", config.server.socket_path);
  report.Add("metricsAddress", config.server.metrics_address);
  report.Add("healthAddress", config.server.health_address);
  report.Add("authMethod", config.auth.method);
  if (const auto fingerprint = contract::Fingerprint(IdentityOf(config)); fingerprint.has_value()) {
    report.Add("identityFingerprint", std::string(fingerprint->text()));
  }
  return report;
}

int RunConfig(const CommandContext& context) {
  const LoadResult loaded = LoadConfig(context.load());
  if (!loaded.problems.empty()) {
    return context.FailConfig(loaded.problems);
  }
  for (const Problem& warning : Warnings(loaded.document)) {
    context.Note("warning: " + ToLine(warning));
  }
  return PrintReport(context, Describe(loaded.document.config), "");
}

int RunSchema(const CommandContext& context) {
  return context.Print(JsonSchema());
}

int RunReference(const CommandContext& context) {
  return context.Print(ReferenceMarkdown());
}

constexpr Flag kConfigFlags[] = {kOutputFlag};
constexpr Command kConfigChildren[] = {
    {.name = "schema", .help = "Print the JSON Schema of the configuration file", .run = RunSchema},
    {.name = "reference",
     .help = "Print docs/config.md, the reference of all keys",
     .run = RunReference}};

}  // namespace

constinit const Command kConfigCommand{.name = "config",
                                       .help = "Show the effective configuration",
                                       .flags = kConfigFlags,
                                       .run = RunConfig,
                                       .children = kConfigChildren};

}  // namespace baokms::supervisor
