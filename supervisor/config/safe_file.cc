#include "supervisor/config/safe_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <string_view>

#include "common/base/error.h"

namespace baokms::supervisor {
namespace {

// Returns for example "its group can write to it, others can read and write it".
std::string DescribeAccess(mode_t bits) {
  constexpr std::array<std::string_view, 8> kVerbs{
      "",     "execute",          "write to",          "write to and execute",
      "read", "read and execute", "read and write to", "read, write to and execute"};
  std::string text;
  if (const mode_t group = (bits >> 3U) & 7U; group != 0) {
    text.append("its group can ").append(kVerbs.at(group)).append(" it");
  }
  if (const mode_t others = bits & 7U; others != 0) {
    text.append(text.empty() ? "" : ", ").append("others can ");
    text.append(kVerbs.at(others)).append(" it");
  }
  return text;
}

std::string Octal(mode_t mode) {
  std::array<char, 8> digits{};
  const auto end = std::to_chars(digits.begin(), digits.end(), mode, 8).ptr;
  return "0" + std::string(digits.begin(), end);
}

std::string DescribeMode(const PathRefusal& refusal) {
  return "mode " + Octal(refusal.mode) + " is too permissive: " + DescribeAccess(refusal.bits) +
         "; run chmod " + Octal(refusal.mode & ~refusal.bits) + " " + refusal.component;
}

std::string RuleText(const PathRefusal& refusal) {
  switch (refusal.rule) {
    case PathRule::kForm:
      return "must be an absolute path without NUL and shorter than 4096 bytes";
    case PathRule::kOpens:
      return std::string("cannot be opened: ").append(std::strerror(refusal.sys_errno));
    case PathRule::kDirectory:
      return "is not a directory";
    case PathRule::kNotWritable:
      return "is writable by others";
    case PathRule::kOwner:
      return DescribeOwner(refusal.component, refusal.owner, refusal.own_user);
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
      return DescribeMode(refusal);
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
  if (refusal.component != path && refusal.rule != PathRule::kMode) {
    text.append(refusal.component).append(" ");
  }
  return text.append(RuleText(refusal));
}

// Reads /etc/passwd itself: getpwuid(3) may load modules and connect to services, which the filter
// of a running provider forbids.
std::string UserName(uid_t user) {
  const std::string number = std::to_string(user);
  std::ifstream file("/etc/passwd");
  for (std::string line; std::getline(file, line);) {
    const std::size_t name_end = line.find(':');
    const std::size_t password_end = line.find(':', name_end + 1);
    if (password_end != std::string::npos &&
        line.compare(password_end + 1, number.size() + 1, number + ":") == 0) {
      return line.substr(0, name_end);
    }
  }
  return user == 0 ? "root" : number;
}

std::string DescribeUser(uid_t user) {
  const std::string name = UserName(user);
  const std::string number = std::to_string(user);
  return user == 0 || name == number ? name : name + " (" + number + ")";
}

std::string DescribeOwner(const std::string& place, uid_t owner, uid_t own_user) {
  std::string text = "belongs to " + DescribeUser(owner);
  text.append(own_user == ::geteuid() ? " but this process is " : " but the provider runs as ");
  text.append(DescribeUser(own_user)).append(": ");
  return own_user == 0 ? text.append("run it as ").append(UserName(owner))
                       : text.append("run chown ").append(UserName(own_user)).append(" ") + place;
}

Result<std::string> ReadRegularFile(int fd, std::size_t max) {
  struct stat info {};

  if (::fstat(fd, &info) != 0) {
    return Error(ErrorCode::kSystem, "cannot be inspected", errno);
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

}  // namespace baokms::supervisor
