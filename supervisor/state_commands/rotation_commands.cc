#include "supervisor/state_commands/rotation_commands.h"

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "common/base/clock.h"
#include "supervisor/config/derived.h"
#include "supervisor/state_commands/local_registry.h"
#include "supervisor/state_commands/rotation_report.h"
#include "supervisor/state_commands/version_needs.h"

namespace baokms::supervisor {
namespace {

constexpr std::string_view kNoScan =
    "objects in etcd were not looked at: with --scan-etcd this command says which Transit versions "
    "they still need";
constexpr std::string_view kScanFailed =
    "etcd could not be read, so it is not known which Transit "
    "versions its objects need";
constexpr std::string_view kScanned =
    "objects as of this revision of etcd; backups of etcd are not looked at and need the versions "
    "of their time. Every API server has to show the active key id, and every node has to retire "
    "the older versions, before min_decryption_version is raised";

// What both commands look at.
struct Findings {
  LocalRegistry local;
  LiveKey live;
};

Findings Look(const CommandHost& host) {
  const Config& config = host.options.config;
  LocalRegistry local = ReadLocalRegistryAt(config.state.path, IdentityOf(config));
  return {.local = std::move(local), .live = host.read_live_key(host.options)};
}

CommandResult Report(std::string name, const CommandHost& host, const Findings& findings) {
  const Config& config = host.options.config;
  const contract::ConfigIdentity identity = IdentityOf(config);
  RotationPolicy policy;
  policy.activation_delay = config.rotation.activation_delay;
  policy.required_observations = config.rotation.require_stable_observation_count;
  return ReportRotation(std::move(name), {.local = findings.local,
                                          .live = findings.live,
                                          .identity = identity,
                                          .policy = policy,
                                          .now_unix = UnixNow()});
}

void AddNeeds(CommandReport& report, const VersionNeeds& needs) {
  report.Add("storedObjects", needs.objects);
  report.Add("plainObjects", needs.plain);
  report.AddRows("objects", "object", needs.groups);
  report.AddRows("mixedResources", "mixed", needs.mixed);
  report.AddNumbers("neededTransitVersions", needs.needed);
  report.AddUnlessEmpty("safeMinDecryptionVersion", needs.safe_minimum);
}

void AddVerdict(CommandResult& result, std::string_view obstacle) {
  const bool safe = obstacle.empty() && result.failure.empty();
  result.report.Add("raisingMinDecryptionVersion", std::string(safe ? "safe" : "unsafe"));
  if (result.failure.empty() && !obstacle.empty()) {
    result.failure = "min_decryption_version must not be raised to the active version: ";
    result.failure.append(obstacle);
  }
}

// Adds what the scan of etcd says. Without a registry and metadata there is nothing to judge by.
void AddScan(CommandResult& result, const EtcdReader& etcd, const Findings& findings) {
  auto scanned = etcd.Scan();
  if (const auto* problem = std::get_if<std::string>(&scanned)) {
    result.report.Add("confidence", std::string("limited"));
    AddVerdict(result, "etcd could not be read: " + *problem);
    result.report.Add("limitations", std::string(kScanFailed));
    return;
  }
  const EtcdScan& scan = std::get<EtcdScan>(scanned);
  const bool judged = findings.local.state.has_value() && findings.live.metadata.has_value();
  result.report.Add("confidence", std::string(judged ? "full" : "limited"));
  result.report.Add("etcdRevision", scan.revision);
  std::string obstacle = "without a usable registry and metadata there is nothing to judge by";
  if (judged) {
    VersionNeeds needs =
        CheckVersionNeeds(scan.census, *findings.local.state, *findings.live.metadata);
    AddNeeds(result.report, needs);
    obstacle = std::move(needs.obstacle);
  }
  AddVerdict(result, obstacle);
  result.report.Add("limitations", std::string(kScanned));
}

}  // namespace

CommandResult RunRotationPlan(const CommandHost& host) {
  return Report("rotation-plan", host, Look(host));
}

CommandResult RunVerifyRotation(const CommandHost& host, const EtcdReader* etcd) {
  const Findings findings = Look(host);
  CommandResult result = Report("verify-rotation", host, findings);
  if (etcd != nullptr) {
    AddScan(result, *etcd, findings);
    return result;
  }
  result.report.Add("confidence", std::string("limited"));
  result.report.Add("limitations", std::string(kNoScan));
  return result;
}

}  // namespace baokms::supervisor
