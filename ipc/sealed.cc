#include "ipc/sealed.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include <google/protobuf/message_lite.h>

namespace baokms::ipc {
namespace {

constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

Status WriteAll(int fd, const std::string& bytes) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t n = ::write(fd, bytes.data() + written, bytes.size() - written);
    if (n < 0 && errno != EINTR) {
      return Error(ErrorCode::kSystem, "write to memfd", errno);
    }
    written += n > 0 ? static_cast<std::size_t>(n) : 0;
  }
  return {};
}

}  // namespace

Result<UniqueFd> SealMessage(const google::protobuf::MessageLite& message) {
  std::string bytes;
  if (!message.SerializeToString(&bytes) || bytes.size() > kMaxSetup) {
    return Error(ErrorCode::kResourceExhausted, "set-up too large to seal");
  }
  UniqueFd fd(::memfd_create("baokms-setup", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) {
    return Error(ErrorCode::kSystem, "memfd_create", errno);
  }
  BAOKMS_TRY(WriteAll(fd.get(), bytes));
  BAOKMS_TRY(CheckSyscall(::fcntl(fd.get(), F_ADD_SEALS, kSeals), "fcntl(F_ADD_SEALS)"));
  return fd;
}

Result<std::string> ReadSealed(int fd) {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) {
    return Error(ErrorCode::kFailedPrecondition, "set-up is not a sealed memfd");
  }

  struct stat facts {};

  BAOKMS_TRY(CheckSyscall(::fstat(fd, &facts), "fstat"));
  const auto size = static_cast<std::size_t>(facts.st_size);
  if (size > kMaxSetup) {
    return Error(ErrorCode::kFailedPrecondition, "sealed set-up is too large");
  }
  std::string bytes(size, '\0');
  // One memfd serves every successive process of a child, so its file position must not be moved.
  const ssize_t n = ::pread(fd, bytes.data(), bytes.size(), 0);
  if (n < 0 || static_cast<std::size_t>(n) != size) {
    return Error(ErrorCode::kSystem, "read of sealed set-up", errno);
  }
  return bytes;
}

}  // namespace baokms::ipc
