#include "supervisor/registry/registry_store.h"

#include "common/contract/registry_transition.h"
#include "supervisor/registry/registry_files.h"

namespace baokms::supervisor {
namespace {

using contract::Checkpoint;
using contract::CheckpointVerdict;
using contract::RegistryState;

// The file system reports kSystem, kPermissionDenied or kResourceExhausted; the format reports
// kInvalidArgument.
RegistryFault FaultOf(const Error& error) {
  return error.code() == ErrorCode::kInvalidArgument ? RegistryFault::kCorrupt
                                                     : RegistryFault::kUnreadable;
}

Status CheckMayFollow(const std::optional<RegistryState>& from, const RegistryState& to) {
  if (from) {
    return contract::CheckTransition(*from, to);
  }
  if (to.contents().generation != 1 || to.contents().previous_hash.has_value()) {
    return Error(ErrorCode::kFailedPrecondition, "first state is not generation 1");
  }
  return {};
}

}  // namespace

std::optional<RegistryProblem> RegistryStore::Load(const contract::ConfigIdentity& identity,
                                                   LoadAs role) {
  auto state = ReadState(directory_);
  if (!state) {
    return RegistryProblem{FaultOf(state.error()), path_, state.error()};
  }
  auto checkpoint = ReadCheckpoint(directory_);
  if (!checkpoint) {
    return RegistryProblem{FaultOf(checkpoint.error()), path_ + ".checkpoint", checkpoint.error()};
  }
  return Accept({std::move(state).value(), std::move(checkpoint).value()}, identity, role);
}

std::optional<RegistryProblem> RegistryStore::Accept(Files files,
                                                     const contract::ConfigIdentity& identity,
                                                     LoadAs role) {
  const CheckpointVerdict verdict =
      contract::CompareWithCheckpoint(files.state.has_value() ? &*files.state : nullptr,
                                      files.checkpoint.has_value() ? &*files.checkpoint : nullptr);
  if (verdict == CheckpointVerdict::kRollback) {
    return RegistryProblem{
        RegistryFault::kRolledBack, path_,
        Error(ErrorCode::kFailedPrecondition, "checkpoint names a newer or another state")};
  }
  if (verdict == CheckpointVerdict::kNotFound) {
    return std::nullopt;
  }
  const Status belongs = contract::CheckBelongsTo(*files.state, identity);
  if (!belongs) {
    return RegistryProblem{RegistryFault::kForeign, path_, belongs.error()};
  }
  if (role == LoadAs::kOwner) {
    // Writing the checkpoint makes the state file's name durable as well.
    const Status durable = verdict == CheckpointVerdict::kWriteCheckpoint
                               ? WriteCheckpoint(directory_, contract::CheckpointOf(*files.state))
                               : directory_.SyncNames();
    if (!durable) {
      return RegistryProblem{RegistryFault::kNotWritable, path_ + ".checkpoint", durable.error()};
    }
  }
  current_ = std::move(files.state);
  return std::nullopt;
}

Status RegistryStore::Save(const RegistryState& next) {
  if (unfinished_) {
    return Error(ErrorCode::kFailedPrecondition, "an earlier save is unfinished");
  }
  BAOKMS_TRY(CheckMayFollow(current_, next));
  const Status written = WriteRegistry(directory_, next);
  if (!written) {
    unfinished_ = next;
    return written;
  }
  current_ = next;
  return {};
}

Status RegistryStore::CheckIsOldOrIntended() const {
  const auto state = BAOKMS_TRY(ReadState(directory_));
  const auto checkpoint = BAOKMS_TRY(ReadCheckpoint(directory_));
  // Before the first state both files are missing, and current_ is empty.
  if (state != current_ && state != unfinished_) {
    return Error(ErrorCode::kFailedPrecondition, "state file was changed by somebody else");
  }
  std::optional<Checkpoint> old;
  if (current_) {
    old = contract::CheckpointOf(*current_);
  }
  if (checkpoint != old && checkpoint != contract::CheckpointOf(*unfinished_)) {
    return Error(ErrorCode::kFailedPrecondition, "checkpoint was changed by somebody else");
  }
  return {};
}

Status RegistryStore::FinishSave() {
  if (!unfinished_) {
    return {};
  }
  BAOKMS_TRY(CheckIsOldOrIntended());
  BAOKMS_TRY(WriteRegistry(directory_, *unfinished_));
  current_ = std::exchange(unfinished_, std::nullopt);
  return {};
}

bool RegistryStore::HoldsCurrent() const {
  const auto state = ReadState(directory_);
  const auto checkpoint = ReadCheckpoint(directory_);
  return current_.has_value() && state.has_value() && checkpoint.has_value() &&
         *state == current_ && *checkpoint == contract::CheckpointOf(*current_);
}

}  // namespace baokms::supervisor
