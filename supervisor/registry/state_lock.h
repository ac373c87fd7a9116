// The lock file beside the registry: only its holder may write to the state directory. Taken before
// anything is read, held until the process ends, never deleted (docs/contract.md#lock).

#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "supervisor/registry/file_ops.h"
#include "supervisor/registry/state_directory.h"

namespace baokms::supervisor {

class StateLock final {
 public:
  // Locks "<state file>.lock". kUnavailable: another process holds it. kPermissionDenied: another
  // user could control the directory or the lock file (owner, mode, links).
  static Result<StateLock> Acquire(FileOps& ops, const StateDirectory& directory);

  // Writes this process's id into the file, so that an operator can see who holds the lock.
  [[nodiscard]] Status WritePid(FileOps& ops) const;

 private:
  explicit StateLock(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

// Returns why Acquire() failed, and what to do, as one line for the operator: "cannot open
// FILE.lock (owned by root): chown openbao-kms FILE.lock". `state_path` is the state file's.
std::string DescribeLockFailure(FileOps& ops,
                                const StateDirectory& directory,
                                const std::string& state_path,
                                const Error& error);

}  // namespace baokms::supervisor
