#include "supervisor/registry/local_registry.h"

#include <utility>

#include "supervisor/registry/file_ops.h"
#include "supervisor/registry/registry_files.h"

namespace baokms::supervisor {
namespace {

using contract::CheckpointVerdict;

RegistryFault FaultOf(const Error& error) {
  return error.code() == ErrorCode::kInvalidArgument ? RegistryFault::kCorrupt
                                                     : RegistryFault::kUnreadable;
}

// Returns why `state` must not be used with `checkpoint` under `identity`.
std::optional<RegistryProblem> CheckState(const std::optional<contract::RegistryState>& state,
                                          const std::optional<contract::Checkpoint>& checkpoint,
                                          const std::string& path,
                                          const contract::ConfigIdentity& identity) {
  const auto verdict = contract::CompareWithCheckpoint(
      state.has_value() ? &*state : nullptr, checkpoint.has_value() ? &*checkpoint : nullptr);
  if (verdict == CheckpointVerdict::kRollback) {
    return RegistryProblem{
        RegistryFault::kRolledBack, path,
        state.has_value()
            ? Error(ErrorCode::kFailedPrecondition, "checkpoint names a newer or another state")
            : Error(ErrorCode::kFailedPrecondition, "state file missing with checkpoint present")};
  }
  if (!state) {
    return std::nullopt;
  }
  const Status belongs = contract::CheckBelongsTo(*state, identity);
  if (!belongs) {
    return RegistryProblem{RegistryFault::kForeign, path, belongs.error(),
                           DescribeIdentities(*state, identity)};
  }
  return std::nullopt;
}

}  // namespace

bool LocalRegistry::IsAbsent() const {
  return !state_file_exists && !checkpoint.has_value() && !problem.has_value();
}

bool LocalRegistry::IsCheckpointAlone() const {
  return !state_file_exists && checkpoint.has_value();
}

LocalRegistry ReadLocalRegistry(const StateDirectory& directory,
                                const std::string& path,
                                const contract::ConfigIdentity& identity) {
  LocalRegistry local;
  auto checkpoint = ReadCheckpoint(directory);
  if (!checkpoint) {
    local.problem =
        RegistryProblem{FaultOf(checkpoint.error()), path + ".checkpoint", checkpoint.error()};
    return local;
  }
  local.checkpoint = *std::move(checkpoint);
  auto state = ReadState(directory);
  local.state_file_exists = !state.has_value() || state->has_value();
  if (!state) {
    local.problem = RegistryProblem{FaultOf(state.error()), path, state.error()};
    return local;
  }
  local.problem = CheckState(*state, local.checkpoint, path, identity);
  if (!local.problem) {
    local.state = *std::move(state);
  }
  return local;
}

LocalRegistry ReadLocalRegistryAt(const std::string& path,
                                  const contract::ConfigIdentity& identity) {
  SystemFileOps ops;
  const auto directory = StateDirectory::Open(ops, path);
  if (directory) {
    return ReadLocalRegistry(*directory, path, identity);
  }
  LocalRegistry local;
  if (directory.error().code() != ErrorCode::kNotFound) {
    local.problem = RegistryProblem{RegistryFault::kUnreadable, path, directory.error()};
  }
  return local;
}

std::string WhyUnusable(const LocalRegistry& local) {
  return local.problem.has_value() ? Describe(*local.problem) : "local registry state is absent";
}

std::string_view CheckpointStatus(const LocalRegistry& local) {
  if (!local.state) {
    return local.IsAbsent() ? "absent" : "";
  }
  if (!local.checkpoint) {
    return "missing";
  }
  return contract::CheckpointOf(*local.state) == *local.checkpoint ? "current" : "behind";
}

}  // namespace baokms::supervisor
