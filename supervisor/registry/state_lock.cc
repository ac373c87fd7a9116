#include "supervisor/registry/state_lock.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "common/base/safe_path.h"
#include "common/contract/encoding.h"
#include "supervisor/config/safe_file.h"

namespace baokms::supervisor {
namespace {

constexpr ::mode_t kForbiddenLockBits = 077;
constexpr ::mode_t kLockMode = 0600;

Status CheckOwner(FileOps& ops, int fd) {
  const struct ::stat info = BAOKMS_TRY(ops.Stat(fd));
  if (info.st_uid != ::geteuid()) {
    return Error(ErrorCode::kPermissionDenied, "state directory belongs to another user");
  }
  return {};
}

Status CheckLockFile(FileOps& ops, int fd) {
  const struct ::stat info = BAOKMS_TRY(ops.Stat(fd));
  if (!S_ISREG(info.st_mode)) {
    return Error(ErrorCode::kPermissionDenied, "lock file is not a regular file");
  }
  if ((info.st_mode & kForbiddenLockBits) != 0) {
    return Error(ErrorCode::kPermissionDenied, "lock file has permissions beyond 0600");
  }
  if (info.st_uid != ::geteuid()) {
    return Error(ErrorCode::kPermissionDenied, "lock file belongs to another user");
  }
  if (info.st_nlink != 1) {
    return Error(ErrorCode::kPermissionDenied, "lock file does not have exactly one link");
  }
  return {};
}

std::string LockName(const StateDirectory& directory) {
  return directory.base_name() + ".lock";
}

Status TryLock(int fd) {
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) {
    return {};
  }
  if (errno == EWOULDBLOCK) {
    return Error(ErrorCode::kUnavailable, "locked by another process");
  }
  return Error(ErrorCode::kSystem, "flock", errno);
}

}  // namespace

Result<StateLock> StateLock::Acquire(FileOps& ops, const StateDirectory& directory) {
  BAOKMS_TRY(directory.Check());
  BAOKMS_TRY(CheckOwner(ops, directory.fd()));
  UniqueFd fd = BAOKMS_TRY(ops.Open(directory.fd(), LockName(directory),
                                    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, kLockMode));
  BAOKMS_TRY(CheckLockFile(ops, fd.get()));
  BAOKMS_TRY(TryLock(fd.get()));
  // The file may have been unlinked between open and lock; then another file is the lock.
  BAOKMS_TRY(CheckLockFile(ops, fd.get()));
  return StateLock(std::move(fd));
}

Status StateLock::WritePid(FileOps& ops) const {
  const std::string text = std::to_string(::getpid()) + "\n";
  BAOKMS_TRY(ops.Truncate(fd_.get()));
  if (BAOKMS_TRY(ops.Write(fd_.get(), contract::AsBytes(text))) != text.size()) {
    return Error(ErrorCode::kSystem, "write was cut short");
  }
  return {};
}

std::string DescribeLockFailure(FileOps& ops,
                                const StateDirectory& directory,
                                const std::string& state_path,
                                const Error& error) {
  const uid_t own_user = ::geteuid();
  const std::string folder = state_path.substr(0, state_path.rfind('/'));
  const auto folder_info = ops.Stat(directory.fd());
  const bool denied = error.sys_errno() == EACCES || error.code() == ErrorCode::kPermissionDenied;
  if (denied && folder_info && folder_info->st_uid != own_user) {
    return folder + " " + DescribeOwner(folder, folder_info->st_uid, own_user);
  }
  const std::string file = folder + "/" + LockName(directory);
  const auto info = ops.StatName(directory.fd(), LockName(directory));
  if (denied && info && info->st_uid != own_user) {
    return error.sys_errno() != EACCES
               ? file + " " + DescribeOwner(file, info->st_uid, own_user)
               : "cannot open " + file + " (owned by " + DescribeUser(info->st_uid) + "): chown " +
                     UserName(own_user) + " " + file;
  }
  if (error.code() == ErrorCode::kPermissionDenied && info &&
      (info->st_mode & kForbiddenLockBits) != 0) {
    const PathRefusal refusal{.rule = PathRule::kMode,
                              .component = file,
                              .bits = kForbiddenLockBits,
                              .mode = info->st_mode};
    return file + ": " + refusal.Describe(file);
  }
  return "cannot lock the state directory: " + error.Describe();
}

}  // namespace baokms::supervisor
