#include "supervisor/serve/kms_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "common/base/error.h"
#include "common/base/process.h"
#include "supervisor/config/derived.h"

namespace baokms::supervisor {
namespace {

// kube-apiserver keeps one connection, and two during a reload. The queue is sized for several that
// restart at once.
constexpr int kBacklog = 128;

// Maximum wait for a connection that tells a live socket from a dead one.
constexpr int kProbeMs = 250;

constexpr int kFirstInherited = 3;  // SD_LISTEN_FDS_START

Result<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error(ErrorCode::kInvalidArgument, "server.socketPath is longer than a socket address");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Result<UniqueFd> NewSocket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) {
    return Error(ErrorCode::kSystem, "socket", errno);
  }
  return fd;
}

const sockaddr* Generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

// The directory protects the socket: a user who can write to it can replace the socket.
Status CheckDirectory(const std::string& path) {
  const std::string directory = path.substr(0, path.rfind('/'));

  struct stat facts {};

  if (::lstat(directory.c_str(), &facts) != 0) {
    return Error(ErrorCode::kFailedPrecondition, "the directory of server.socketPath is missing",
                 errno);
  }
  if (!S_ISDIR(facts.st_mode) || facts.st_uid != ::geteuid() || (facts.st_mode & 0022) != 0) {
    return Error(
        ErrorCode::kFailedPrecondition,
        "the directory of server.socketPath must be a directory of this user, not writable "
        "by group or others");
  }
  return {};
}

// Succeeds only if the socket at this path is dead. An error means that a process listens on it or
// that its state cannot be determined.
Status RequireDead(const sockaddr_un& address) {
  const UniqueFd probe = BAOKMS_TRY(NewSocket());
  int outcome = ::connect(probe.get(), Generic(address), sizeof address) == 0 ? 0 : errno;
  if (outcome == EINPROGRESS || outcome == EAGAIN) {
    pollfd ready{.fd = probe.get(), .events = POLLOUT, .revents = 0};
    socklen_t size = sizeof outcome;
    if (::poll(&ready, 1, kProbeMs) != 1 ||
        ::getsockopt(probe.get(), SOL_SOCKET, SO_ERROR, &outcome, &size) != 0) {
      outcome = ETIMEDOUT;
    }
  }
  if (outcome != ECONNREFUSED) {
    return Error(ErrorCode::kFailedPrecondition,
                 "another process answers on server.socketPath, or it cannot be ruled out; not "
                 "removing the socket",
                 outcome);
  }
  return {};
}

Result<SocketOrigin> ClearPath(const std::string& path, const sockaddr_un& address) {
  struct stat facts {};

  if (::lstat(path.c_str(), &facts) != 0) {
    if (errno == ENOENT) {
      return SocketOrigin::kBound;
    }
    return Error(ErrorCode::kSystem, "lstat of server.socketPath", errno);
  }
  if (!S_ISSOCK(facts.st_mode)) {
    return Error(ErrorCode::kFailedPrecondition,
                 "server.socketPath exists but is not a socket; not removing it");
  }
  BAOKMS_TRY(RequireDead(address));
  BAOKMS_TRY(CheckSyscall(::unlink(path.c_str()), "unlink of a dead socket"));
  return SocketOrigin::kReplacedDead;
}

struct SocketFile {
  FileId id;
  FileAccess access;
};

Result<SocketFile> FileAt(const std::string& path) {
  struct stat facts {};

  BAOKMS_TRY(CheckSyscall(::lstat(path.c_str(), &facts), "lstat of server.socketPath"));
  return SocketFile{
      .id = {.device = facts.st_dev, .inode = facts.st_ino},
      .access = {.mode = facts.st_mode, .owner = facts.st_uid, .group = facts.st_gid}};
}

// Returns the number of descriptors that systemd passed to this process.
int InheritedCount() {
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  if (pid == nullptr || count == nullptr || std::to_string(::getpid()) != pid) {
    return 0;
  }
  return std::atoi(count);
}

Result<KmsSocket> TakeInherited(const KmsSocketOptions& options) {
  if (::fcntl(kFirstInherited, F_GETFD) < 0) {
    return Error(ErrorCode::kInvalidArgument, "the socket that systemd passed is not open", errno);
  }
  UniqueFd listener(kFirstInherited);
  sockaddr_un name{};
  socklen_t size = sizeof name;
  int listening = 0;
  socklen_t flag_size = sizeof listening;
  if (::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&name), &size) != 0 ||
      name.sun_family != AF_UNIX || options.path != name.sun_path ||
      ::getsockopt(listener.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &flag_size) != 0 ||
      listening == 0) {
    return Error(ErrorCode::kInvalidArgument,
                 "the socket that systemd passed is not a listener on server.socketPath");
  }
  BAOKMS_TRY(SetCloseOnExec(listener.get()));
  BAOKMS_TRY(CheckSyscall(::fcntl(listener.get(), F_SETFL, O_NONBLOCK), "fcntl(O_NONBLOCK)"));
  const SocketFile file = BAOKMS_TRY(FileAt(options.path));
  return KmsSocket{.listener = std::move(listener),
                   .origin = SocketOrigin::kInherited,
                   .file = file.id,
                   .access = file.access};
}

}  // namespace

Result<KmsSocketOptions> SocketOptionsOf(const Config& config) {
  return KmsSocketOptions{.path = config.server.socket_path,
                          .mode = BAOKMS_TRY(SocketMode(config)),
                          .group = BAOKMS_TRY(SocketGroup(config))};
}

Result<KmsSocket> BindKmsSocket(const KmsSocketOptions& options) {
  BAOKMS_TRY(CheckDirectory(options.path));
  const sockaddr_un address = BAOKMS_TRY(AddressOf(options.path));
  const SocketOrigin origin = BAOKMS_TRY(ClearPath(options.path, address));
  UniqueFd listener = BAOKMS_TRY(NewSocket());
  // The umask determines its mode (unix(7)).
  BAOKMS_TRY(CheckSyscall(::bind(listener.get(), Generic(address), sizeof address),
                          "bind of server.socketPath"));
  // Before listen(2), because clients can connect from then on.
  BAOKMS_TRY(
      CheckSyscall(::lchown(options.path.c_str(), static_cast<uid_t>(-1), options.group),
                   "cannot give the socket to server.socketGroup; is this user a member of it?"));
  const SocketFile file = BAOKMS_TRY(FileAt(options.path));
  BAOKMS_TRY(CheckSyscall(::listen(listener.get(), kBacklog), "listen on server.socketPath"));
  return KmsSocket{
      .listener = std::move(listener), .origin = origin, .file = file.id, .access = file.access};
}

Result<KmsSocket> OpenKmsSocket(const KmsSocketOptions& options) {
  const int inherited = InheritedCount();
  if (inherited == 0) {
    (void)::umask(~options.mode & 0777U);
    return BindKmsSocket(options);
  }
  (void)::unsetenv("LISTEN_PID");
  (void)::unsetenv("LISTEN_FDS");
  (void)::unsetenv("LISTEN_FDNAMES");
  if (inherited != 1) {
    return Error(ErrorCode::kInvalidArgument, "systemd passed more than one socket");
  }
  return TakeInherited(options);
}

bool LeadsTo(const std::string& path, const KmsSocket& socket) {
  const Result<SocketFile> file = FileAt(path);
  return file && file->id == socket.file &&
         (socket.origin == SocketOrigin::kInherited || file->access == socket.access);
}

void RemoveKmsSocket(const std::string& path, const KmsSocket& socket) {
  const Result<SocketFile> file = FileAt(path);
  if (socket.origin != SocketOrigin::kInherited && file && file->id == socket.file) {
    (void)::unlink(path.c_str());  // at worst a dead socket remains, which the next start removes
  }
}

}  // namespace baokms::supervisor
