#include "supervisor/observe/listen_socket.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <netdb.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "common/base/error.h"

namespace baokms::supervisor {
namespace {

// Connections that may wait for the listener's thread, which accepts them immediately. One more
// than this would be tried again by its client after a second only, so it is what the kernel
// allows.
constexpr int kBacklog = 4096;

using Addresses = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

Addresses Resolve(const char* host, const std::string& port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host, port.c_str(), &hints, &found) != 0) {
    found = nullptr;
  }
  return {found, ::freeaddrinfo};
}

void SetOption(int fd, int level, int name, int value) {
  // Optional: listening works without any of these options.
  (void)::setsockopt(fd, level, name, &value, sizeof value);
}

Result<std::uint16_t> PortOf(int fd) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    return Error(ErrorCode::kSystem, "getsockname", errno);
  }
  // Both families have the port at the same offset (netinet/in.h).
  sockaddr_in as_v4{};
  std::memcpy(&as_v4, &bound, sizeof as_v4);
  return ntohs(as_v4.sin_port);
}

Result<ListenSocket> ListenOn(const addrinfo& address) {
  UniqueFd fd(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) {
    return Error(ErrorCode::kUnavailable, "socket", errno);
  }
  SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (address.ai_family == AF_INET6) {
    SetOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
  }
  if (::bind(fd.get(), address.ai_addr, address.ai_addrlen) != 0) {
    return Error(ErrorCode::kUnavailable, "bind", errno);
  }
  if (::listen(fd.get(), kBacklog) != 0) {
    return Error(ErrorCode::kUnavailable, "listen", errno);
  }
  const std::uint16_t port = BAOKMS_TRY(PortOf(fd.get()));
  return ListenSocket{std::move(fd), port};
}

Result<ListenSocket> ListenOnFirst(const Addresses& addresses) {
  Result<ListenSocket> last = Error(ErrorCode::kNotFound, "listener host without an address");
  for (const addrinfo* next = addresses.get(); next != nullptr; next = next->ai_next) {
    last = ListenOn(*next);
    if (last) {
      break;
    }
  }
  return last;
}

}  // namespace

Result<ListenSocket> Listen(const std::string& host, std::uint16_t port) {
  const std::string service = std::to_string(port);
  if (host.empty()) {
    Result<ListenSocket> both = ListenOnFirst(Resolve("::", service, AI_NUMERICHOST));
    // This kernel has no IPv6.
    const bool no_ipv6 = !both && (both.error().sys_errno() == EAFNOSUPPORT ||
                                   both.error().sys_errno() == EADDRNOTAVAIL);
    return no_ipv6 ? ListenOnFirst(Resolve("0.0.0.0", service, AI_NUMERICHOST)) : std::move(both);
  }
  // Tries a numeric address first: looking up a name loads modules and reads files.
  Addresses found = Resolve(host.c_str(), service, AI_NUMERICHOST);
  if (found == nullptr) {
    found = Resolve(host.c_str(), service, 0);
  }
  return ListenOnFirst(found);
}

}  // namespace baokms::supervisor
