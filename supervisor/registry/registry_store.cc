#include "supervisor/registry/registry_store.h"

#include "common/contract/registry_transition.h"
#include "supervisor/registry/registry_files.h"

namespace baokms::supervisor {
namespace {

using contract::Checkpoint;
using contract::RegistryState;

Status CheckMayFollow(const std::optional<RegistryState>& from, const RegistryState& to) {
  if (from) {
    return contract::CheckTransition(*from, to);
  }
  if (to.contents().generation != 1 || to.contents().previous_hash) {
    return Error(ErrorCode::kFailedPrecondition, "first state is not generation 1");
  }
  return {};
}

}  // namespace

std::optional<RegistryProblem> RegistryStore::Load(const contract::ConfigIdentity& identity) {
  LocalRegistry found = ReadLocalRegistry(directory_, path_, identity);
  if (found.problem || !found.state) {
    return found.problem;
  }
  // Writing the checkpoint makes the state file's name durable as well.
  const Checkpoint expected = contract::CheckpointOf(*found.state);
  const Status durable =
      found.checkpoint == expected ? directory_.SyncNames() : WriteCheckpoint(directory_, expected);
  if (!durable) {
    return RegistryProblem{RegistryFault::kNotWritable, path_ + ".checkpoint", durable.error()};
  }
  current_ = std::move(found.state);
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
  return current_ && state && checkpoint && *state == current_ &&
         *checkpoint == contract::CheckpointOf(*current_);
}

}  // namespace baokms::supervisor
