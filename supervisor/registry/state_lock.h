// The lock file beside the registry: whoever holds it may write the state directory. Taken before
// anything is read, held until the process ends, never deleted (docs/contract.md#lock).

#pragma once

#include <sys/types.h>

#include <optional>
#include <utility>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "supervisor/registry/file_ops.h"
#include "supervisor/registry/state_directory.h"

namespace baokms::supervisor {

class StateLock final {
 public:
  // Locks "<state file>.lock". kUnavailable: another process holds it. kPermissionDenied: directory
  // or lock file could be under somebody else's control (owner, mode, links).
  static Result<StateLock> Acquire(FileOps& ops, const StateDirectory& directory);

  // Writes this process's id into the file, for the operator who wants to know who holds the lock.
  [[nodiscard]] Status WritePid(FileOps& ops) const;

 private:
  explicit StateLock(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace baokms::supervisor
