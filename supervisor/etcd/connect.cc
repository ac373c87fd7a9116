#include "supervisor/etcd/connect.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include <poll.h>

#include <utility>
#include <vector>

#include "common/base/event_loop.h"
#include "supervisor/broker/broker.h"
#include "supervisor/broker/resolver.h"

namespace baokms::supervisor {
namespace {

std::vector<SocketAddress> LookUp(const std::string& host,
                                  std::uint16_t port,
                                  std::chrono::milliseconds limit) {
  std::vector<SocketAddress> found;
  auto loop = EventLoop::Create();
  if (!loop.has_value()) {
    return found;
  }
  auto resolver = Resolver::Create(**loop);
  if (!resolver.has_value()) {
    return found;
  }
  (*resolver)->Resolve(host, port, limit, [&](std::vector<SocketAddress> addresses) {
    found = std::move(addresses);
    (*loop)->Stop();
  });
  // Without a loop nothing is found, which is what the caller says then.
  (void)(*loop)->Run().has_value();
  return found;
}

// 0, or the errno of the attempt that StartConnect() began.
int FinishConnect(int fd, std::chrono::milliseconds limit) {
  pollfd wanted{.fd = fd, .events = POLLOUT, .revents = 0};
  if (::poll(&wanted, 1, static_cast<int>(limit.count())) != 1) {
    return ETIMEDOUT;
  }
  int error = 0;
  socklen_t size = sizeof(error);
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace

std::variant<UniqueFd, std::string> ConnectTo(const std::string& host,
                                              std::uint16_t port,
                                              std::chrono::milliseconds limit) {
  std::string failure = "the name of the host was not found";
  for (const SocketAddress& address : LookUp(host, port, limit)) {
    auto started = StartConnect(address);
    const int error =
        started.has_value() ? FinishConnect(started->get(), limit) : started.error().sys_errno();
    if (error == 0) {
      return std::move(started).value();
    }
    failure = std::string("no connection: ") + std::strerror(error);
  }
  return failure;
}

}  // namespace baokms::supervisor
