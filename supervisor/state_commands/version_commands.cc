#include "supervisor/state_commands/version_commands.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "common/base/clock.h"
#include "common/contract/operator_steps.h"
#include "supervisor/config/derived.h"
#include "supervisor/registry/local_registry.h"
#include "supervisor/state_commands/rotation_report.h"

namespace baokms::supervisor {
namespace {

using contract::OperatorStep;
using contract::RegistryState;

constexpr std::string_view kRetireLimits =
    "changes only the registry of this node, not OpenBao or etcd. A removed version stops "
    "decrypting "
    "here at the next start: run verify-rotation --scan-etcd first, retire the version on every "
    "node, and only then raise min_decryption_version";
constexpr std::string_view kRestoreLimits =
    "changes only the registry of this node, not OpenBao or etcd. A restored version decrypts here "
    "again from the next start";

// What one run found and changed.
struct VersionChange {
  std::optional<RegistryState> state{};
  OperatorStep step{};
  bool applied = false;
  std::string failure{};
};

using Decide = std::function<Result<OperatorStep>(const RegistryState&)>;

// Returns why the step must not be made now, or nothing. Reads from OpenBao.
std::string FindObstacle(const CommandHost& host,
                         const RegistryState& from,
                         const RegistryState& to) {
  const LiveKey live = host.read_live_key(host.options);
  if (!live.metadata) {
    return WhyUnknown(live);
  }
  const Status follows = contract::CheckOperatorTransition(from, to);
  if (!follows) {
    return std::string(follows.error().what());
  }
  return FindLiveProblem(to, *live.metadata, IdentityOf(host.options.config), UnixNow());
}

VersionChange Change(const CommandHost& host,
                     const StateAccess& access,
                     const ReviewedHash& reviewed,
                     const Decide& decide) {
  VersionChange change;
  LocalRegistry local = ReadLocalRegistry(access.directory(), host.options.config.state.path,
                                          IdentityOf(host.options.config));
  if (!local.state) {
    change.failure = WhyUnusable(local);
    return change;
  }
  change.state = std::move(local.state);
  auto step = decide(*change.state);
  if (!step) {
    change.failure = std::string(step.error().what());
    return change;
  }
  change.step = std::move(step).value();
  if (reviewed && !(*reviewed == change.state->current_hash())) {
    const bool is_next = change.step.next && *reviewed == change.step.next->current_hash();
    change.failure = is_next
                         ? "--expected-state-hash is the plan's nextStateHash: give its stateHash"
                         : "the registry changed since it was reviewed: stateHash differs from "
                           "--expected-state-hash";
    return change;
  }
  if (!change.step.next) {
    return change;
  }
  change.failure = FindObstacle(host, *change.state, *change.step.next);
  if (change.failure.empty() && reviewed) {
    change.failure = access.Write(*change.step.next, contract::CheckpointOf(*change.state));
    change.applied = change.failure.empty();
  }
  return change;
}

VersionChange RunChange(const CommandHost& host,
                        const ReviewedHash& reviewed,
                        const Decide& decide) {
  auto access = StateAccess::Open(host.options.config.state.path, IntentOf(reviewed));
  if (auto* refusal = std::get_if<std::string>(&access)) {
    return {.failure = std::move(*refusal)};
  }
  return Change(host, *std::get<std::unique_ptr<StateAccess>>(access), reviewed, decide);
}

std::vector<FactRow> RowsOf(const OperatorStep& step) {
  std::vector<FactRow> rows;
  for (const contract::KeyRecord& record : step.changed) {
    rows.push_back({{"transitVersion", record.version.number}, {"keyIdHash", KeyIdHash(record)}});
  }
  return rows;
}

void AddHashes(CommandReport& report, const VersionChange& change) {
  if (!change.state) {
    return;
  }
  report.Add("stateHash", std::string(change.state->current_hash().text()));
  if (change.step.next) {
    report.Add("nextStateHash", std::string(change.step.next->current_hash().text()));
    report.Add("nextGeneration", change.step.next->contents().generation);
  }
  report.Add("activeKeyIdHash", KeyIdHash(change.state->active()));
}

}  // namespace

CommandResult RunRetireVersions(const CommandHost& host, const RetireOptions& options) {
  const VersionChange change =
      RunChange(host, options.reviewed, [&options](const RegistryState& state) {
        return contract::RetireBefore(state, options.before_version);
      });
  CommandReport report("retire-versions");
  report.Add("applied", change.applied);
  report.Add("beforeVersion", options.before_version);
  AddHashes(report, change);
  report.AddRows("removedVersions", "remove", RowsOf(change.step));
  report.Add("limitations", std::string(kRetireLimits));
  return {.report = std::move(report), .failure = change.failure};
}

CommandResult RunRestoreVersions(const CommandHost& host, const RestoreOptions& options) {
  const VersionChange change =
      RunChange(host, options.reviewed, [&options](const RegistryState& state) {
        return contract::RestoreVersions(state, options.versions);
      });
  CommandReport report("restore-versions");
  report.Add("applied", change.applied);
  report.Add("operation", std::string("restore"));
  AddHashes(report, change);
  report.AddRows("restoredVersions", "restore", RowsOf(change.step));
  report.Add("limitations", std::string(kRestoreLimits));
  return {.report = std::move(report), .failure = change.failure};
}

}  // namespace baokms::supervisor
