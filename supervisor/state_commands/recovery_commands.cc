#include "supervisor/state_commands/recovery_commands.h"

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/clock.h"
#include "common/contract/limits.h"
#include "common/contract/operator_steps.h"
#include "common/contract/registry_json.h"
#include "supervisor/config/derived.h"
#include "supervisor/registry/local_registry.h"
#include "supervisor/registry/registry_files.h"
#include "supervisor/state_commands/report_file.h"
#include "supervisor/state_commands/rotation_report.h"
#include "supervisor/status/finding_text.h"

namespace baokms::supervisor {
namespace {

using contract::Checkpoint;
using contract::LegacyState;
using contract::RegistryState;

constexpr std::string_view kRecoverLimits =
    "rebuilt from OpenBao alone: versions that were retired on this node will decrypt again, and a "
    "rotation that other nodes have not promoted yet is promoted here at once; compare "
    "activeKeyIdHash with that of a healthy node first";
constexpr std::string_view kMigrateLimits =
    "binds the registry to the identity of this configuration; programs that read only schema "
    "v1alpha1 can no longer use it, so keep a copy of the state file and its checkpoint";
constexpr std::string_view kImportLimits =
    "takes over the registry of the peer unchanged, including versions that were retired there; "
    "export it on a node whose Status is healthy";

// What a command would write, and the result of writing it.
struct StatePlan {
  std::optional<RegistryState> next{};
  std::optional<Checkpoint> last{};  // of the state that `next` follows
  bool applied = false;
  std::string failure{};
};

StatePlan Refused(std::string failure) {
  return {.failure = std::move(failure)};
}

// Checks the plan against live metadata and writes it if its hash was reviewed.
StatePlan Finish(StatePlan plan,
                 const CommandHost& host,
                 const LiveKey& live,
                 const StateAccess& access,
                 const ReviewedHash& reviewed) {
  plan.failure = live.metadata ? FindLiveProblem(*plan.next, *live.metadata,
                                                 IdentityOf(host.options.config), UnixNow())
                               : WhyUnknown(live);
  if (!plan.failure.empty() || !reviewed) {
    return plan;
  }
  if (!(*reviewed == plan.next->current_hash())) {
    const bool is_last = plan.last && *reviewed == plan.last->current_hash;
    plan.failure =
        is_last ? "--expected-state-hash is the hash of the state before the change: give the "
                  "plan's nextStateHash"
                : "the plan changed since it was reviewed: nextStateHash differs from "
                  "--expected-state-hash";
    return plan;
  }
  plan.failure = access.Write(*plan.next, plan.last);
  plan.applied = plan.failure.empty();
  return plan;
}

std::vector<FactRow> RowsOf(const RegistryState& state) {
  std::vector<FactRow> rows;
  for (const contract::KeyRecord& record : state.contents().records) {
    rows.push_back({{"transitVersion", record.version.number},
                    {"state", std::string(contract::ToString(record.state))},
                    {"keyIdHash", KeyIdHash(record)},
                    {"createdAt", UtcText(record.version.created_at_unix)}});
  }
  return rows;
}

void AddPlan(CommandReport& report, const StatePlan& plan) {
  if (!plan.next) {
    return;
  }
  const RegistryState& next = *plan.next;
  report.Add("nextStateHash", std::string(next.current_hash().text()));
  report.Add("nextGeneration", next.contents().generation);
  report.Add("activeKeyIdHash", KeyIdHash(next.active()));
  report.Add("activeTransitVersion", next.active().version.number);
  report.AddRows("versions", "version", RowsOf(next));
}

using Opened = std::variant<std::unique_ptr<StateAccess>, std::string>;

Opened OpenState(const CommandHost& host, const ReviewedHash& reviewed) {
  return StateAccess::Open(host.options.config.state.path, IntentOf(reviewed));
}

// recover-state

// Returns why the local registry must not be rebuilt, or nothing.
std::string WhyNotLost(const LocalRegistry& local) {
  if (local.state) {
    return "this node has a usable registry: there is nothing to recover";
  }
  if (local.state_file_exists || (local.problem && !local.IsCheckpointAlone())) {
    return Describe(*local.problem) + "; recover-state works only when the state file is missing";
  }
  return "";
}

StatePlan PlanRecovery(const CommandHost& host,
                       const StateAccess& access,
                       const LocalRegistry& local,
                       const RecoverOptions& options) {
  if (std::string refusal = WhyNotLost(local); !refusal.empty()) {
    return Refused(std::move(refusal));
  }
  const LiveKey live = host.read_live_key(host.options);
  if (!live.metadata) {
    return Refused(WhyUnknown(live));
  }
  if (!IsProfileValid(*live.metadata)) {
    return Refused(DescribeProfile(*live.metadata));
  }
  auto next =
      contract::RebuildState(IdentityOf(host.options.config), *live.metadata, local.checkpoint);
  if (!next) {
    return Refused(std::string(next.error().what()));
  }
  StatePlan plan{.next = std::move(next).value(), .last = local.checkpoint};
  const std::string& expected = options.expected_active_key_id_hash;
  if (!expected.empty() && expected != KeyIdHash(plan.next->active())) {
    plan.failure = "the key that would become active differs from --expected-active-key-id-hash";
    return plan;
  }
  return Finish(std::move(plan), host, live, access, options.reviewed);
}

// migrate-state

// Returns whether this checkpoint may accompany a v1alpha1 state.
bool Fits(const LegacyState& legacy, const std::optional<Checkpoint>& checkpoint) {
  if (!checkpoint) {
    return true;
  }
  const bool current = checkpoint->generation == legacy.contents.generation &&
                       checkpoint->current_hash == legacy.current_hash;
  const bool behind = checkpoint->generation == legacy.contents.generation - 1 &&
                      legacy.contents.previous_hash == checkpoint->current_hash;
  return current || behind;
}

// Reads a state file of the older schema; empty if it already has the current schema.
Result<std::optional<LegacyState>> ReadLegacy(const StateAccess& access,
                                              const contract::ConfigIdentity& identity) {
  const auto text = BAOKMS_TRY(ReadStateText(access.directory()));
  if (!text) {
    return Error(ErrorCode::kNotFound, "the state file does not exist");
  }
  if (contract::ParseState(*text)) {
    return std::optional<LegacyState>();
  }
  const auto fingerprint = BAOKMS_TRY(contract::Fingerprint(identity));
  LegacyState legacy = BAOKMS_TRY(contract::ParseLegacyState(*text, fingerprint));
  const auto checkpoint = BAOKMS_TRY(ReadCheckpoint(access.directory()));
  if (!Fits(legacy, checkpoint)) {
    return Error(ErrorCode::kFailedPrecondition, "checkpoint names a newer or another state");
  }
  return std::optional(std::move(legacy));
}

StatePlan PlanMigration(const CommandHost& host,
                        const StateAccess& access,
                        const LegacyState& legacy,
                        const MigrateOptions& options) {
  auto next = contract::MigrateLegacy(legacy, IdentityOf(host.options.config));
  if (!next) {
    return Refused(std::string(next.error().what()));
  }
  StatePlan plan{.next = std::move(next).value(),
                 .last = Checkpoint{.generation = legacy.contents.generation,
                                    .current_hash = legacy.current_hash}};
  return Finish(std::move(plan), host, host.read_live_key(host.options), access, options.reviewed);
}

// import-state

Result<RegistryState> ReadExported(const std::string& path) {
  const std::string text = BAOKMS_TRY(ReadWholeFile(path, contract::kMaxStateFileBytes));
  return contract::ParseState(text);
}

// Returns why a peer's registry must not replace the local one, or nothing.
std::string WhyNotReplaceable(const LocalRegistry& local) {
  if (local.state) {
    return "this node has a usable registry: import-state replaces only one that is lost, corrupt "
           "or behind its checkpoint";
  }
  if (local.problem && local.problem->fault != RegistryFault::kCorrupt &&
      local.problem->fault != RegistryFault::kRolledBack) {
    return Describe(*local.problem);
  }
  return "";
}

StatePlan PlanImport(const CommandHost& host,
                     const StateAccess& access,
                     const LocalRegistry& local,
                     const ImportOptions& options) {
  if (std::string refusal = WhyNotReplaceable(local); !refusal.empty()) {
    return Refused(std::move(refusal));
  }
  auto exported = ReadExported(options.input_file);
  if (!exported) {
    return Refused(CannotSentence("use the exported registry", exported.error()));
  }
  const contract::ConfigIdentity identity = IdentityOf(host.options.config);
  if (!contract::CheckBelongsTo(*exported, identity)) {
    return Refused("cannot use the exported registry: it was written for another identity (" +
                   DescribeIdentities(*exported, identity) + ")");
  }
  return Finish({.next = std::move(exported).value()}, host, host.read_live_key(host.options),
                access, options.reviewed);
}

std::string Replaced(const LocalRegistry& local) {
  if (local.IsCheckpointAlone()) {
    return "checkpoint without state";
  }
  if (!local.problem) {
    return "nothing";
  }
  return local.problem->fault == RegistryFault::kCorrupt ? "corrupt registry"
                                                         : "registry behind its checkpoint";
}

}  // namespace

CommandResult RunRecoverState(const CommandHost& host, const RecoverOptions& options) {
  CommandReport report("recover-state");
  Opened access = OpenState(host, options.reviewed);
  StatePlan plan;
  LocalRegistry local;
  if (auto* refusal = std::get_if<std::string>(&access)) {
    plan = Refused(std::move(*refusal));
  } else {
    const StateAccess& state = *std::get<std::unique_ptr<StateAccess>>(access);
    local = ReadLocalRegistry(state.directory(), host.options.config.state.path,
                              IdentityOf(host.options.config));
    plan = PlanRecovery(host, state, local, options);
  }
  report.Add("applied", plan.applied);
  if (local.checkpoint) {
    report.Add("stateCheckpointGeneration", local.checkpoint->generation);
    report.Add("stateCheckpointHash", std::string(local.checkpoint->current_hash.text()));
  }
  AddPlan(report, plan);
  report.Add("limitations", std::string(kRecoverLimits));
  return {.report = std::move(report), .failure = std::move(plan.failure)};
}

CommandResult RunMigrateState(const CommandHost& host, const MigrateOptions& options) {
  CommandReport report("migrate-state");
  const auto end = [&report](const StatePlan& plan, const std::optional<LegacyState>& legacy) {
    report.Add("applied", plan.applied);
    report.Add("migrationNeeded", legacy.has_value());
    if (legacy) {
      report.Add("stateHash", std::string(legacy->current_hash.text()));
      report.Add("stateGeneration", legacy->contents.generation);
    }
    AddPlan(report, plan);
    report.Add("limitations", std::string(kMigrateLimits));
    return CommandResult{.report = std::move(report), .failure = plan.failure};
  };
  Opened access = OpenState(host, options.reviewed);
  if (const auto* refusal = std::get_if<std::string>(&access)) {
    return end(Refused(*refusal), {});
  }
  const StateAccess& state = *std::get<std::unique_ptr<StateAccess>>(access);
  const auto legacy = ReadLegacy(state, IdentityOf(host.options.config));
  if (!legacy) {
    return end(Refused(CannotSentence("migrate the state file", legacy.error())), {});
  }
  return end(legacy->has_value() ? PlanMigration(host, state, **legacy, options) : StatePlan(),
             *legacy);
}

CommandResult RunExportState(const CommandHost& host, const ExportOptions& options) {
  const Config& config = host.options.config;
  const LocalRegistry local = ReadLocalRegistryAt(config.state.path, IdentityOf(config));
  CommandReport report("export-state");
  if (!local.state) {
    report.Add("exported", false);
    return {.report = std::move(report), .failure = WhyUnusable(local)};
  }
  const RegistryState& state = *local.state;
  const Status written = WriteNewFile(options.output_file, contract::SerializeState(state));
  report.Add("exported", written.has_value());
  report.Add("stateHash", std::string(state.current_hash().text()));
  report.Add("stateGeneration", state.contents().generation);
  report.Add("stateCheckpointStatus", std::string(CheckpointStatus(local)));
  report.Add("identityFingerprint", std::string(state.contents().identity_fingerprint.text()));
  report.Add("activeKeyIdHash", KeyIdHash(state.active()));
  report.Add("activeTransitVersion", state.active().version.number);
  report.AddRows("versions", "version", RowsOf(state));
  return {.report = std::move(report),
          .failure = written ? "" : CannotSentence("write --output-file", written.error())};
}

CommandResult RunImportState(const CommandHost& host, const ImportOptions& options) {
  CommandReport report("import-state");
  Opened access = OpenState(host, options.reviewed);
  if (const auto* refusal = std::get_if<std::string>(&access)) {
    report.Add("applied", false);
    report.Add("limitations", std::string(kImportLimits));
    return {.report = std::move(report), .failure = *refusal};
  }
  const StateAccess& state = *std::get<std::unique_ptr<StateAccess>>(access);
  const LocalRegistry local = ReadLocalRegistry(state.directory(), host.options.config.state.path,
                                                IdentityOf(host.options.config));
  StatePlan plan = PlanImport(host, state, local, options);
  report.Add("applied", plan.applied);
  if (!local.state) {
    report.Add("replaces", Replaced(local));
  }
  AddPlan(report, plan);
  report.Add("limitations", std::string(kImportLimits));
  return {.report = std::move(report), .failure = std::move(plan.failure)};
}

}  // namespace baokms::supervisor
