#include "supervisor/serve/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include <unistd.h>

#include <utility>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms::supervisor {

Result<ServiceNotifier> ServiceNotifier::FromEnvironment() {
  const char* name = std::getenv("NOTIFY_SOCKET");
  if (name == nullptr) {
    return ServiceNotifier(UniqueFd());
  }
  const std::string path(name);
  (void)::unsetenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() < 2 || path.size() >= sizeof address.sun_path ||
      (path[0] != '/' && path[0] != '@')) {
    return Error(ErrorCode::kInvalidArgument, "NOTIFY_SOCKET is not a socket address");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  if (path[0] == '@') {
    address.sun_path[0] = '\0';
  }
  UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  if (!socket.valid() ||
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    return Error(ErrorCode::kSystem, "connect to NOTIFY_SOCKET", errno);
  }
  return ServiceNotifier(std::move(socket));
}

void ServiceNotifier::Send(std::string_view lines) const {
  if (socket_.valid()) {
    (void)!::send(socket_.get(), lines.data(), lines.size(), MSG_NOSIGNAL);
  }
}

}  // namespace baokms::supervisor
