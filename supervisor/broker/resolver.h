// Resolves host names as the C library does, without calling it: getaddrinfo(3) loads NSS modules
// and opens files, neither of which a confined process may do. The order of services and names
// comes from nsswitch.conf and resolv.conf, which are read for each lookup so that changes are
// noticed; c-ares reads the hosts file and queries the name servers.

#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"

namespace baokms::supervisor {

// An address in the form that connect(2) takes.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  friend bool operator==(const SocketAddress& a, const SocketAddress& b) {
    return a.size == b.size && std::memcmp(&a.storage, &b.storage, a.size) == 0;
  }
};

// Puts the IPv6 addresses before the IPv4 ones, whichever answer came first, so that the order does
// not change from lookup to lookup. If there are more than ipc::kMaxAddresses, each family keeps at
// least half of the places: a host without one of them must not lose the other.
[[nodiscard]] std::vector<SocketAddress> MergeFamilies(const std::vector<SocketAddress>& v6,
                                                       const std::vector<SocketAddress>& v4);

class Resolver final {
 public:
  // Receives an empty list if the name did not resolve in time.
  using Callback = std::function<void(std::vector<SocketAddress>)>;

  // Fails if c-ares cannot be initialised. `loop` must outlive the resolver.
  static Result<std::unique_ptr<Resolver>> Create(EventLoop& loop);

  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver();

  // Looks up `host` (a numeric address resolves to itself) and calls back later on the loop's
  // thread, after `limit` at the latest. IPv6 addresses come first; apart from that, the order is
  // that of the hosts file or the name server. Addresses beyond ipc::kMaxAddresses are dropped.
  void Resolve(const std::string& host, std::uint16_t port, BootTime limit, Callback callback);

 private:
  class Lookup;

  explicit Resolver(EventLoop& loop);

  void Finished(Lookup* lookup);

  EventLoop& loop_;
  std::vector<std::unique_ptr<Lookup>> lookups_;
};

}  // namespace baokms::supervisor
