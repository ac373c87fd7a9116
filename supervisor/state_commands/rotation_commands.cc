#include "supervisor/state_commands/rotation_commands.h"

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "common/base/clock.h"
#include "supervisor/config/derived.h"
#include "supervisor/registry/local_registry.h"
#include "supervisor/state_commands/rotation_report.h"
#include "supervisor/state_commands/version_needs.h"

namespace baokms::supervisor {
namespace {

constexpr std::string_view kNoScan =
    "the objects in etcd were not examined; with --scan-etcd this command reports which Transit "
    "versions they still need";
constexpr std::string_view kScanFailed =
    "etcd could not be read, so the Transit versions that its objects need are not known";
constexpr std::string_view kScanned =
    "covers the objects as of this revision of etcd; backups of etcd were not examined and need "
    "the "
    "versions of their time. Before you raise min_decryption_version, every API server must report "
    "the active key ID, and every node must have retired the older versions";

// What both commands examine.
struct Findings {
  LocalRegistry local;
  LiveKey live;
};

Findings Gather(const CommandHost& host) {
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

void AddConclusion(CommandResult& result, std::string_view obstacle) {
  const bool safe = obstacle.empty() && result.failure.empty();
  result.report.Add("raisingMinDecryptionVersion", std::string(safe ? "safe" : "unsafe"));
  if (result.failure.empty() && !obstacle.empty()) {
    result.failure = "min_decryption_version must not be raised to the active version: ";
    result.failure.append(obstacle);
  }
}

// Adds the results of the etcd scan. They can be interpreted only with a registry and metadata.
void AddScan(CommandResult& result, const EtcdScanResult& scanned, const Findings& findings) {
  if (const auto* failure = std::get_if<EtcdScanFailure>(&scanned)) {
    result.report.Add("confidence", std::string("limited"));
    AddConclusion(result, "etcd could not be read: " + failure->text);
    result.report.Add("limitations", std::string(kScanFailed));
    return;
  }
  const EtcdScan& scan = std::get<EtcdScan>(scanned);
  const bool interpretable = findings.local.state && findings.live.metadata;
  result.report.Add("confidence", std::string(interpretable ? "full" : "limited"));
  result.report.Add("etcdRevision", scan.revision);
  std::string obstacle =
      "without a usable registry and metadata, the objects in etcd cannot be interpreted";
  if (interpretable) {
    VersionNeeds needs =
        CheckVersionNeeds(scan.inventory, *findings.local.state, *findings.live.metadata);
    AddNeeds(result.report, needs);
    obstacle = std::move(needs.obstacle);
  }
  AddConclusion(result, obstacle);
  result.report.Add("limitations", std::string(kScanned));
}

}  // namespace

CommandResult RunRotationPlan(const CommandHost& host) {
  return Report("rotation-plan", host, Gather(host));
}

CommandResult RunVerifyRotation(const CommandHost& host, const EtcdScanResult* scanned) {
  const Findings findings = Gather(host);
  CommandResult result = Report("verify-rotation", host, findings);
  if (scanned != nullptr) {
    AddScan(result, *scanned, findings);
    return result;
  }
  result.report.Add("confidence", std::string("limited"));
  result.report.Add("limitations", std::string(kNoScan));
  return result;
}

}  // namespace baokms::supervisor
