#include "supervisor/state_commands/state_access.h"

#include <utility>

#include "supervisor/registry/registry_files.h"
#include "supervisor/state_commands/command_report.h"

namespace baokms::supervisor {

std::variant<std::unique_ptr<StateAccess>, std::string> StateAccess::Open(
    const std::string& state_path, Intent intent) {
  std::unique_ptr<StateAccess> access(new StateAccess(intent));
  auto directory = StateDirectory::Open(access->ops_, state_path);
  if (!directory) {
    return CannotSentence("open the state directory", directory.error());
  }
  access->directory_ = std::move(directory).value();
  if (intent == Intent::kPlan) {
    return access;
  }
  auto lock = StateLock::Acquire(access->ops_, *access->directory_);
  if (!lock) {
    std::string text =
        DescribeLockFailure(access->ops_, *access->directory_, state_path, lock.error());
    if (lock.error().code() == ErrorCode::kUnavailable) {
      text.append("; stop the provider on this node first");
    }
    return text;
  }
  access->lock_ = std::move(lock).value();
  return access;
}

Status StateAccess::WriteInOrder(const contract::RegistryState& next,
                                 const std::optional<contract::Checkpoint>& last) const {
  if (last && BAOKMS_TRY(ReadCheckpoint(*directory_)) != last) {
    BAOKMS_TRY(WriteCheckpoint(*directory_, *last));
  }
  return WriteRegistry(*directory_, next);
}

std::string StateAccess::Write(const contract::RegistryState& next,
                               const std::optional<contract::Checkpoint>& last) const {
  if (!lock_) {
    return "cannot write the registry: it is not locked";
  }
  const Status written = WriteInOrder(next, last);
  if (written) {
    return "";
  }
  return CannotSentence("write the registry", written.error())
      .append(
          "; each file is either the old or the new one, and the provider accepts or refuses them "
          "together: run the command again without --apply to see which");
}

}  // namespace baokms::supervisor
