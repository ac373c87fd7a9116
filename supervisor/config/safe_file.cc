#include "supervisor/config/safe_file.h"

#include <sys/stat.h>
#include <sys/types.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#include <unistd.h>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/safe_path.h"

namespace baokms::supervisor {
namespace {

std::string SystemText(int error_number) {
  return std::strerror(error_number);
}

std::string ModeText(mode_t bits) {
  std::string text = "has permissions that are not allowed: mode bits 0";
  for (const unsigned shift : {6U, 3U, 0U}) {
    text.push_back(static_cast<char>('0' + ((bits >> shift) & 7U)));
  }
  return text;
}

std::string RuleText(const PathRefusal& refusal) {
  switch (refusal.rule) {
    case PathRule::kForm:
      return "must be an absolute path without NUL and shorter than 4096 bytes";
    case PathRule::kOpens:
      return std::string("cannot be opened: ").append(SystemText(refusal.sys_errno));
    case PathRule::kDirectory:
      return "is not a directory";
    case PathRule::kNotWritable:
      return "is writable by others";
    case PathRule::kOwner:
      return "must belong to root or to the user of this process";
    case PathRule::kLink:
      return "is a symlink in a path that is not root's alone";
    case PathRule::kFinalLink:
      return "must not be a symlink";
    case PathRule::kLinks:
      return "goes through too many symlinks";
    case PathRule::kReadableLink:
      return "is a symlink that cannot be read";
    case PathRule::kRegular:
      return "is not a regular file";
    case PathRule::kMode:
      return ModeText(refusal.bits);
    case PathRule::kSize:
      return "is too large";
    case PathRule::kSame:
      break;
  }
  return "changed while it was opened";
}

}  // namespace

std::string DescribeRefusal(const PathRefusal& refusal, const std::string& path) {
  std::string text;
  if (refusal.place != path) {
    text.append(refusal.place).append(" ");
  }
  return text.append(RuleText(refusal));
}

Result<std::string> ReadRegularFile(int fd, std::size_t max) {
  struct stat info {};

  if (::fstat(fd, &info) != 0) {
    return Error(ErrorCode::kSystem, "cannot be looked at", errno);
  }
  if (!S_ISREG(info.st_mode)) {
    return Error(ErrorCode::kInvalidArgument, "is not a regular file");
  }
  std::string text;
  std::array<char, 16384> chunk{};
  while (true) {
    const ssize_t got = ::pread(fd, chunk.data(), chunk.size(), static_cast<off_t>(text.size()));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return Error(ErrorCode::kSystem, "cannot be read", errno);
    }
    if (got == 0) {
      return text;
    }
    text.append(chunk.data(), static_cast<std::size_t>(got));
    if (text.size() > max) {
      return Error(ErrorCode::kResourceExhausted, "is too large");
    }
  }
}

std::string DescribeFileError(const Error& error) {
  std::string text(error.what());
  if (error.sys_errno() != 0) {
    text.append(": ").append(SystemText(error.sys_errno()));
  }
  return text;
}

}  // namespace baokms::supervisor
