#include "supervisor/registry/local_registry.h"

#include <array>
#include <cstddef>
#include <utility>

#include "supervisor/registry/file_ops.h"
#include "supervisor/registry/registry_files.h"

namespace baokms::supervisor {
namespace {

using contract::CheckpointVerdict;

struct FaultText {
  std::string_view what;
  std::string_view remedy;
};

constexpr std::array<FaultText, 5> kFaultTexts = {{
    {"cannot be read",
     "check owner and mode (directory without write access for group and others, files 0640 or "
     "less, no symbolic links)"},
    {"is corrupt",
     "run import-state with the registry of a healthy node, or restore the state file and its "
     "checkpoint together from one backup"},
    {"does not fit its checkpoint (missing, older or unrelated state)",
     "run import-state with the registry of a healthy node, or restore the state file and its "
     "checkpoint together from the newest backup, or run recover-state; never delete the "
     "checkpoint "
     "to get past this"},
    {"was written for another identity",
     "check provider name, cluster id, instance id, namespace, mount and key in the configuration, "
     "or point state.path to this node's own directory"},
    {"could not be brought up to date", "check free space and that the directory may be written"},
}};

RegistryFault FaultOf(const Error& error) {
  return error.code() == ErrorCode::kInvalidArgument ? RegistryFault::kCorrupt
                                                     : RegistryFault::kUnreadable;
}

RegistryProblem Unread(const StateDirectory& directory,
                       const std::string& path,
                       const Error& error) {
  RegistryProblem problem{FaultOf(error), path, error};
  if (error.code() == ErrorCode::kPermissionDenied) {
    problem.detail = directory.ModeProblem(path.substr(path.rfind('/') + 1));
  }
  return problem;
}

// Returns why `state` must not be used with `checkpoint` under `identity`.
std::optional<RegistryProblem> CheckState(const std::optional<contract::RegistryState>& state,
                                          const std::optional<contract::Checkpoint>& checkpoint,
                                          const std::string& path,
                                          const contract::ConfigIdentity& identity) {
  const auto verdict = contract::CompareWithCheckpoint(state ? &*state : nullptr,
                                                       checkpoint ? &*checkpoint : nullptr);
  if (verdict == CheckpointVerdict::kRollback) {
    return RegistryProblem{
        RegistryFault::kRolledBack, path,
        state
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

std::string DescribeIdentities(const contract::RegistryState& state,
                               const contract::ConfigIdentity& identity) {
  std::string text = "file ";
  text.append(state.contents().identity_fingerprint.text());
  if (const auto configured = contract::Fingerprint(identity)) {
    text.append(", configuration ").append(configured->text());
  }
  return text;
}

std::string Describe(const RegistryProblem& problem) {
  const FaultText& text_of_fault = kFaultTexts.at(static_cast<std::size_t>(problem.fault));
  std::string text = "key registry ";
  text.append(problem.path).append(" ").append(text_of_fault.what);
  if (problem.detail.empty()) {
    text.append(": ").append(problem.cause.Describe());
  } else {
    text.append(" (").append(problem.detail).append(")");
  }
  return text.append("; ").append(text_of_fault.remedy);
}

bool LocalRegistry::IsAbsent() const {
  return !state_file_exists && !checkpoint && !problem;
}

bool LocalRegistry::IsCheckpointAlone() const {
  return !state_file_exists && checkpoint;
}

LocalRegistry ReadLocalRegistry(const StateDirectory& directory,
                                const std::string& path,
                                const contract::ConfigIdentity& identity) {
  LocalRegistry local;
  auto checkpoint = ReadCheckpoint(directory);
  if (!checkpoint) {
    local.problem = Unread(directory, path + ".checkpoint", checkpoint.error());
    return local;
  }
  local.checkpoint = *std::move(checkpoint);
  auto state = ReadState(directory);
  local.state_file_exists = !state || state->has_value();
  if (!state) {
    local.problem = Unread(directory, path, state.error());
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
  return local.problem ? Describe(*local.problem) : "local registry state is absent";
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
