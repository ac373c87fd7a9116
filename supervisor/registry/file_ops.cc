#include "supervisor/registry/file_ops.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <type_traits>
#include <utility>

#include "common/contract/encoding.h"

namespace baokms::supervisor {
namespace {

// Repeats the call while it is interrupted. Not for close(2), which must not be repeated.
template <typename Call>
auto Retry(Call call) {
  std::invoke_result_t<Call> result{};
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

Status Check(int result, Literal what) {
  if (result != 0) {
    return Error(ErrorCode::kSystem, what, errno);
  }
  return {};
}

}  // namespace

Status WriteNewFile(
    FileOps& ops, int directory, const std::string& name, std::string_view content, ::mode_t mode) {
  UniqueFd file =
      BAOKMS_TRY(ops.Open(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode));
  std::span<const std::uint8_t> left = contract::AsBytes(content);
  while (!left.empty()) {
    const std::size_t written = BAOKMS_TRY(ops.Write(file.get(), left));
    if (written == 0) {
      return Error(ErrorCode::kSystem, "write made no progress", EIO);
    }
    left = left.subspan(written);
  }
  // The process's umask may have removed bits.
  BAOKMS_TRY(ops.SetMode(file.get(), mode));
  BAOKMS_TRY(ops.Sync(file.get()));
  return ops.Close(std::move(file));
}

Result<UniqueFd> SystemFileOps::Open(int directory,
                                     const std::string& name,
                                     int flags,
                                     ::mode_t mode) {
  UniqueFd fd(Retry([&] { return ::openat(directory, name.c_str(), flags | O_CLOEXEC, mode); }));
  if (!fd.valid()) {
    return Error(ErrorCode::kSystem, "open", errno);
  }
  return fd;
}

Result<struct ::stat> SystemFileOps::Stat(int fd) {
  struct ::stat info {};

  BAOKMS_TRY(Check(::fstat(fd, &info), "fstat"));
  return info;
}

Result<struct ::stat> SystemFileOps::StatName(int directory, const std::string& name) {
  struct ::stat info {};

  BAOKMS_TRY(Check(::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW), "fstatat"));
  return info;
}

Result<std::size_t> SystemFileOps::Read(int fd, std::span<std::uint8_t> into) {
  const ssize_t count = Retry([&] { return ::read(fd, into.data(), into.size()); });
  if (count < 0) {
    return Error(ErrorCode::kSystem, "read", errno);
  }
  return static_cast<std::size_t>(count);
}

Result<std::size_t> SystemFileOps::Write(int fd, std::span<const std::uint8_t> bytes) {
  const ssize_t count = Retry([&] { return ::write(fd, bytes.data(), bytes.size()); });
  if (count < 0) {
    return Error(ErrorCode::kSystem, "write", errno);
  }
  return static_cast<std::size_t>(count);
}

Status SystemFileOps::Truncate(int fd) {
  return Check(Retry([&] { return ::ftruncate(fd, 0); }), "ftruncate");
}

Status SystemFileOps::SetMode(int fd, ::mode_t mode) {
  return Check(Retry([&] { return ::fchmod(fd, mode); }), "fchmod");
}

Status SystemFileOps::Sync(int fd) {
  return Check(Retry([&] { return ::fsync(fd); }), "fsync");
}

Status SystemFileOps::Close(UniqueFd fd) {
  return Check(::close(fd.release()), "close");
}

Status SystemFileOps::Rename(int directory, const std::string& from, const std::string& to) {
  return Check(::renameat(directory, from.c_str(), directory, to.c_str()), "renameat");
}

Status SystemFileOps::Remove(int directory, const std::string& name) {
  return Check(::unlinkat(directory, name.c_str(), 0), "unlinkat");
}

}  // namespace baokms::supervisor
