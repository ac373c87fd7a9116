#include "supervisor/registry/state_directory.h"

#include <sys/stat.h>
#include <fcntl.h>

#include <array>
#include <cerrno>
#include <cstdint>

#include "common/base/safe_path.h"

namespace baokms::supervisor {
namespace {

constexpr ::mode_t kOthersMayWrite = S_IWGRP | S_IWOTH;

// The owner may read and write, the group may read; every other bit is forbidden.
constexpr ::mode_t kForbiddenFileBits = 0137;
constexpr ::mode_t kFileMode = 0640;

bool IsMissing(const Error& error) {
  return error.code() == ErrorCode::kSystem && error.sys_errno() == ENOENT;
}

Status CheckDirectory(const struct ::stat& info) {
  if (!S_ISDIR(info.st_mode)) {
    return Error(ErrorCode::kPermissionDenied, "state directory is not a directory");
  }
  if ((info.st_mode & kOthersMayWrite) != 0) {
    return Error(ErrorCode::kPermissionDenied, "state directory may be written by group or others");
  }
  return {};
}

Status CheckFile(const struct ::stat& info) {
  if (!S_ISREG(info.st_mode)) {
    return Error(ErrorCode::kPermissionDenied, "file is not a regular file");
  }
  if ((info.st_mode & kForbiddenFileBits) != 0) {
    return Error(ErrorCode::kPermissionDenied, "file has permissions beyond 0640");
  }
  return {};
}

Error OpenError(const Error& error) {
  if (error.sys_errno() == ELOOP || error.sys_errno() == ENOTDIR) {
    return Error(ErrorCode::kPermissionDenied, "a link or another kind of file is in the way");
  }
  return error;
}

}  // namespace

Result<StateDirectory> StateDirectory::Open(FileOps& ops, const std::string& state_path) {
  const std::size_t slash = state_path.rfind('/');
  if (!state_path.starts_with('/') || slash + 1 == state_path.size()) {
    return Error(ErrorCode::kInvalidArgument, "state path is not an absolute file name");
  }
  const std::string parent = slash == 0 ? "/" : state_path.substr(0, slash);
  auto opened = ops.Open(AT_FDCWD, parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
  if (!opened) {
    return IsMissing(opened.error()) ? Error(ErrorCode::kNotFound, "state directory does not exist")
                                     : OpenError(opened.error());
  }
  StateDirectory directory(ops, std::move(opened).value(), state_path.substr(slash + 1));
  BAOKMS_TRY(directory.Check());
  return directory;
}

Status StateDirectory::Check() const {
  const struct ::stat info = BAOKMS_TRY(ops_->Stat(fd_.get()));
  return CheckDirectory(info);
}

Result<std::optional<std::string>> StateDirectory::ReadFile(const std::string& name,
                                                            std::size_t max_bytes) const {
  BAOKMS_TRY(Check());
  auto opened = ops_->Open(fd_.get(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
  if (!opened) {
    if (IsMissing(opened.error())) {
      return std::optional<std::string>();
    }
    return OpenError(opened.error());
  }
  const UniqueFd file = std::move(opened).value();
  const struct ::stat info = BAOKMS_TRY(ops_->Stat(file.get()));
  BAOKMS_TRY(CheckFile(info));
  std::string content;
  std::array<std::uint8_t, 16 * 1024> chunk{};
  for (;;) {
    const std::size_t count = BAOKMS_TRY(ops_->Read(file.get(), chunk));
    if (count == 0) {
      return std::optional<std::string>(std::move(content));
    }
    if (content.size() + count > max_bytes) {
      return Error(ErrorCode::kResourceExhausted, "file is too large");
    }
    content.append(chunk.begin(), chunk.begin() + count);
  }
}

std::string StateDirectory::ModeProblem(const std::string& name) const {
  const auto info = ops_->StatName(fd_.get(), name);
  return info && S_ISREG(info->st_mode) && (info->st_mode & kForbiddenFileBits) != 0
             ? DescribeMode(info->st_mode, kForbiddenFileBits)
             : std::string();
}

Status StateDirectory::CheckTarget(const std::string& name) const {
  const auto info = ops_->StatName(fd_.get(), name);
  if (!info) {
    return IsMissing(info.error()) ? Status() : info.error();
  }
  if (!S_ISREG(info->st_mode)) {
    return Error(ErrorCode::kPermissionDenied, "file to be replaced is not a regular file");
  }
  return {};
}

Status StateDirectory::RemoveIfThere(const std::string& name) const {
  const Status removed = ops_->Remove(fd_.get(), name);
  return !removed && !IsMissing(removed.error()) ? removed : Status();
}

Status StateDirectory::ReplaceFile(const std::string& name, std::string_view content) const {
  BAOKMS_TRY(Check());
  BAOKMS_TRY(CheckTarget(name));
  const std::string temporary = "." + name + ".tmp";
  BAOKMS_TRY(RemoveIfThere(temporary));
  const Status written = WriteNewFile(*ops_, fd_.get(), temporary, content, kFileMode);
  if (!written) {
    // Cleanup only: a stale temporary file is never read, and the next attempt removes it.
    (void)ops_->Remove(fd_.get(), temporary);
    return written;
  }
  BAOKMS_TRY(ops_->Rename(fd_.get(), temporary, name));
  return ops_->Sync(fd_.get());
}

}  // namespace baokms::supervisor
