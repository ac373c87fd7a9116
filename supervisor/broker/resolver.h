// Host names to addresses, without getaddrinfo: it loads NSS modules and opens files that a
// confined process has no business with. c-ares, with a fresh channel per lookup, so that a changed
// resolv.conf is noticed.

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

// An address to connect to, as connect(2) takes it.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  friend bool operator==(const SocketAddress& a, const SocketAddress& b) {
    return a.size == b.size && std::memcmp(&a.storage, &b.storage, a.size) == 0;
  }
};

class Resolver final {
 public:
  // An empty list: the name did not resolve in time.
  using Callback = std::function<void(std::vector<SocketAddress>)>;

  // Fails when c-ares cannot be set up. `loop` must outlive the resolver.
  static Result<std::unique_ptr<Resolver>> Create(EventLoop& loop);

  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver();

  // Looks `host` up (an IP literal needs no lookup) and calls back later on the loop's thread,
  // after `limit` at the latest.
  void Resolve(const std::string& host, std::uint16_t port, BootTime limit, Callback callback);

 private:
  class Lookup;

  explicit Resolver(EventLoop& loop);

  void Finished(Lookup* lookup);

  EventLoop& loop_;
  std::vector<std::unique_ptr<Lookup>> lookups_;
};

}  // namespace baokms::supervisor
