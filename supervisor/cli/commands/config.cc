#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/contract/identity.h"
#include "supervisor/cli/commands/commands.h"
#include "supervisor/cli/prepare.h"
#include "supervisor/config/choices.h"
#include "supervisor/config/derived.h"
#include "supervisor/config/reference.h"
#include "supervisor/config/validate.h"
#include "supervisor/registry/local_registry.h"

namespace baokms::supervisor {
namespace {

// The fingerprint is omitted while the identity is incomplete.
CommandReport Describe(const Config& config) {
  CommandReport report;
  report.Add("configVersion", std::string(WordOf(config.config_version)));
  report.Add("socketPath", config.server.socket_path);
  report.Add("metricsAddress", config.server.metrics_address);
  report.Add("healthAddress", config.server.health_address);
  report.Add("authMethod", std::string(WordOf(config.auth.method)));
  if (const auto fingerprint = contract::Fingerprint(IdentityOf(config)); fingerprint) {
    report.Add("identityFingerprint", std::string(fingerprint->text()));
  }
  return report;
}

constexpr Flag kNoHostChecksFlag{
    "--no-host-checks", "",
    "Check neither files nor the environment of this host: for the configuration of another "
    "machine"};

// Root may check a provider's files without being the user that the provider runs as, which is the
// owner of its state directory.
uid_t ProviderUser(const Config& config) {
  struct stat info {};

  const std::string directory = config.state.path.substr(0, config.state.path.rfind('/') + 1);
  const bool root = ::geteuid() == 0;
  return root && ::stat(directory.c_str(), &info) == 0 ? info.st_uid : ::geteuid();
}

// What `serve` refuses after its configuration was checked: these are not among the checks of
// Prepare(), because a reload changes none of them and runs under a filter that forbids to query
// the group database. Nothing is locked or written.
void CheckStart(const CommandContext& context,
                const ConfigDocument& document,
                uid_t own_user,
                std::vector<Problem>& problems) {
  constexpr std::string_view kGroupKey = "server.socketGroup";
  if (!IsFaulty(problems, kGroupKey)) {
    if (const auto group = SocketGroup(document.config); !group) {
      problems.push_back(document.ProblemAt(kGroupKey, std::string(group.error().what())));
    }
  }
  constexpr std::string_view kStateKey = "state.path";
  const contract::ConfigIdentity identity = IdentityOf(document.config);
  if (!IsFaulty(problems, kStateKey) && contract::Fingerprint(identity)) {
    const auto registry = ReadLocalRegistryAt(document.config.state.path, identity);
    if (registry.problem) {
      problems.push_back(document.ProblemAt(kStateKey, Describe(*registry.problem)));
    }
  }
  if (std::string refusal = context.hooks().check_programs(own_user); !refusal.empty()) {
    problems.push_back({"", {}, "", std::move(refusal)});
  }
}

// Reports everything that `serve` would refuse as a problem. The report is printed nevertheless,
// unless the file cannot be parsed as a configuration.
int RunConfig(const CommandContext& context) {
  const LoadOptions options =
      context.IsOn(kNoHostChecksFlag.name) ? context.load().ForAnotherMachine() : context.load();
  const LoadResult loaded = LoadConfig(options);
  const Config& config = loaded.document.config;
  if (loaded.problems.empty()) {
    context.Write(Describe(config).ToString(context.output()));
    for (const Problem& warning : Warnings(loaded.document)) {
      context.Note("warning: " + ToLine(warning));
    }
  }
  const uid_t own_user = ProviderUser(config);
  CheckedConfig checked = Prepare(options, HostChecks::kAll, own_user);
  if (!context.IsOn(kNoHostChecksFlag.name)) {
    CheckStart(context, loaded.document, own_user, checked.problems);
  }
  return checked.problems.empty() ? context.Print("") : context.FailConfig(checked.problems);
}

int RunSchema(const CommandContext& context) {
  return context.Print(JsonSchema());
}

int RunReference(const CommandContext& context) {
  return context.Print(ReferenceMarkdown());
}

constexpr Flag kConfigFlags[] = {kNoHostChecksFlag, kOutputFlag};
constexpr Command kConfigChildren[] = {
    {.name = "schema", .help = "Print the JSON Schema of the configuration file", .run = RunSchema},
    {.name = "reference",
     .help = "Print docs/config.md, the reference of all keys",
     .run = RunReference}};

}  // namespace

constinit const Command kConfigCommand{
    .name = "config",
    .help = "Validate the configuration as serve does, and show a summary",
    .flags = kConfigFlags,
    .run = RunConfig,
    .children = kConfigChildren};

}  // namespace baokms::supervisor
