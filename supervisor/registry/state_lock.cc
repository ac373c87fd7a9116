#include "supervisor/registry/state_lock.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>

#include <fcntl.h>

#include <string>

#include <unistd.h>

#include "common/contract/encoding.h"

namespace baokms::supervisor {
namespace {

constexpr ::mode_t kForbiddenLockBits = 077;
constexpr ::mode_t kLockMode = 0600;

// Decimal digits of the largest pid_t, and the newline.
constexpr std::size_t kMaxPidText = 16;

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
    return Error(ErrorCode::kPermissionDenied, "lock file mode is wider than 0600");
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

Status TryLock(int fd, int kind) {
  if (::flock(fd, kind | LOCK_NB) == 0) {
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
  BAOKMS_TRY(TryLock(fd.get(), LOCK_EX));
  // Somebody may have unlinked it between open and lock; then another file is the lock.
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

Result<std::optional<::pid_t>> FindLockHolder(FileOps& ops, const StateDirectory& directory) {
  auto opened =
      ops.Open(directory.fd(), LockName(directory), O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
  if (!opened.has_value() && opened.error().sys_errno() == ENOENT) {
    return std::optional<::pid_t>();
  }
  const UniqueFd fd = BAOKMS_TRY(std::move(opened));
  const Status locked = TryLock(fd.get(), LOCK_SH);
  if (locked.has_value()) {
    return std::optional<::pid_t>();  // nobody holds it; ours goes with the descriptor
  }
  if (locked.error().code() != ErrorCode::kUnavailable) {
    return locked.error();
  }
  std::array<std::uint8_t, kMaxPidText> text{};
  const std::size_t size = BAOKMS_TRY(ops.Read(fd.get(), text));
  const std::string digits(text.begin(), text.begin() + size);
  ::pid_t pid = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), pid);
  if (parsed.ec != std::errc() || pid <= 0 || *parsed.ptr != '\n') {
    return Error(ErrorCode::kInvalidArgument, "lock file holds no process id");
  }
  return std::optional<::pid_t>(pid);
}

}  // namespace baokms::supervisor
