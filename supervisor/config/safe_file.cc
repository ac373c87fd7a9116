#include "supervisor/config/safe_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>

#include "common/base/error.h"

namespace baokms::supervisor {
std::string DescribeRefusal(const PathRefusal& refusal, const std::string& path) {
  std::string text;
  if (refusal.component != path && refusal.rule != PathRule::kMode) {
    text.append(refusal.component).append(" ");
  }
  return text.append(refusal.rule == PathRule::kOwner
                         ? DescribeOwner(refusal.component, refusal.owner, refusal.own_user)
                         : refusal.Describe(refusal.component));
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
