#include "supervisor/cli/probe_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <optional>
#include <vector>

namespace baokms::supervisor {
namespace {

// 65536 is the kernel's limit (NGROUPS_MAX).
std::optional<std::vector<gid_t>> OwnGroups() {
  const int count = ::getgroups(0, nullptr);
  if (count < 0) {
    return std::nullopt;
  }
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  const int filled = ::getgroups(count, groups.data());
  if (filled < 0) {
    return std::nullopt;
  }
  groups.resize(static_cast<std::size_t>(filled));
  return groups;
}

bool CheckIdentity(CheckReport& report) {
  const auto groups = OwnGroups();
  if (!groups) {
    report.Add(CheckStatus::kFail, "client.identity", "Client identity",
               "cannot read the supplementary groups");
    return false;
  }
  std::string text = "uid=" + std::to_string(::geteuid()) + " gid=" + std::to_string(::getegid());
  text.append(" groups=[");
  for (std::size_t i = 0; i < groups->size(); ++i) {
    text.append(i == 0 ? "" : " ").append(std::to_string((*groups)[i]));
  }
  text.append("]");
  const bool root = ::geteuid() == 0;
  if (root) {
    text.append("; root can always connect, so this run does not test access");
  }
  report.Add(root ? CheckStatus::kWarn : CheckStatus::kPass, "client.identity", "Client identity",
             text);
  return true;
}

bool CheckPath(const std::string& path, CheckReport& report) {
  struct stat info {};

  if (::lstat(path.c_str(), &info) != 0 && errno == EACCES) {
    report.Add(CheckStatus::kFail, "socket.path", "Socket file",
               path +
                   ": access denied: one of the caller's groups must be allowed to enter the "
                   "directory of the socket");
    return false;
  }
  if (!S_ISSOCK(info.st_mode)) {
    report.Add(CheckStatus::kFail, "socket.path", "Socket file",
               path + ": there is no Unix socket: check the path, and that the provider runs");
    return false;
  }
  report.Add(CheckStatus::kPass, "socket.path", "Socket file", path + " is a Unix socket");
  if (info.st_uid == ::geteuid()) {
    report.Add(CheckStatus::kWarn, "socket.access_scope", "Access to the socket",
               "the caller owns the socket, so this run does not test access through the group");
  }
  return true;
}

// Returns 0, or the errno of the connection attempt.
int FinishConnect(int fd, std::chrono::steady_clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  pollfd wanted{.fd = fd, .events = POLLOUT, .revents = 0};
  const auto wait = std::clamp<std::int64_t>(left.count(), 0, INT_MAX);
  if (::poll(&wanted, 1, static_cast<int>(wait)) != 1) {
    return ETIMEDOUT;
  }
  int error = 0;
  socklen_t size = sizeof(error);
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

// A full backlog fails with EAGAIN immediately; the connection is retried until the deadline.
int Connect(int fd, const sockaddr_un& address, std::chrono::steady_clock::time_point deadline) {
  const void* raw = &address;
  while (::connect(fd, static_cast<const sockaddr*>(raw), sizeof(address)) != 0) {
    if (errno == EINPROGRESS) {
      return FinishConnect(fd, deadline);
    }
    if (errno != EAGAIN && errno != EINTR) {
      return errno;
    }
    if (std::chrono::steady_clock::now() >= deadline) {
      return ETIMEDOUT;
    }
    ::poll(nullptr, 0, 10);
  }
  return 0;
}

std::string_view ConnectAdvice(int error) {
  switch (error) {
    case EACCES:
    case EPERM:
      return "access denied: the caller must be in the socket's group";
    case ECONNREFUSED:
      return "no process listens on the socket: the provider has stopped or is still starting";
    case ETIMEDOUT:
      return "no answer in time: the provider accepts no connections";
    case ENAMETOOLONG:
      return "the path is too long for a Unix socket";
    default:
      return "the connection failed";
  }
}

}  // namespace

UniqueFd ReachSocket(const std::string& path,
                     std::chrono::steady_clock::time_point deadline,
                     CheckReport& report) {
  if (!CheckIdentity(report) || !CheckPath(path, report)) {
    return {};
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  int error = ENAMETOOLONG;
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.valid() && path.size() < sizeof(address.sun_path)) {
    path.copy(address.sun_path, path.size());
    error = Connect(fd.get(), address, deadline);
  }
  if (error != 0) {
    report.Add(CheckStatus::kFail, "socket.connect", "Connection",
               path + ": " + std::string(ConnectAdvice(error)));
    return {};
  }
  return fd;
}

}  // namespace baokms::supervisor
