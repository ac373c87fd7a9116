#include "supervisor/config/safe_file.h"

#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/safe_path.h"

namespace baokms::supervisor {
namespace {

std::string SystemText(int error_number) {
  return std::strerror(error_number);
}

// Returns "is too permissive: run chmod g-w,o-rw FILE". `bits` are the forbidden bits that are set.
std::string ModeText(mode_t bits, std::string_view place) {
  constexpr std::array<std::pair<char, unsigned>, 3> kClasses{{{'u', 6}, {'g', 3}, {'o', 0}}};
  std::string change;
  for (const auto& [name, shift] : kClasses) {
    const mode_t forbidden = (bits >> shift) & 7U;
    if (forbidden == 0) {
      continue;
    }
    change.append(change.empty() ? "" : ",").append(1, name).append("-");
    change.append((forbidden & 4U) != 0 ? "r" : "").append((forbidden & 2U) != 0 ? "w" : "");
    change.append((forbidden & 1U) != 0 ? "x" : "");
  }
  return std::string("is too permissive: run chmod ").append(change).append(" ").append(place);
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
      return "is a symbolic link in a directory not owned by root";
    case PathRule::kFinalLink:
      return "must not be a symbolic link";
    case PathRule::kLinks:
      return "goes through too many symbolic links";
    case PathRule::kReadableLink:
      return "is a symbolic link that cannot be read";
    case PathRule::kRegular:
      return "is not a regular file";
    case PathRule::kMode:
      return ModeText(refusal.bits, refusal.place);
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
