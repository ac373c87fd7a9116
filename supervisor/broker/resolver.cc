#include "supervisor/broker/resolver.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>

#include <ares.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "ipc/limits.h"

namespace baokms::supervisor {

// One name being looked up on a channel of its own. Ends exactly once.
class Resolver::Lookup final {
 public:
  Lookup(Resolver& owner, EventLoop& loop, Callback callback)
      : owner_(owner), loop_(loop), callback_(std::move(callback)) {}

  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  ~Lookup() {
    loop_.Cancel(timer_);
    loop_.Cancel(limit_);
    if (channel_ != nullptr) {
      ::ares_destroy(channel_);  // answers every query with ARES_EDESTRUCTION
    }
    for (const int fd : watched_) {
      loop_.Unwatch(fd);
    }
  }

  void Start(const std::string& host, std::uint16_t port, BootTime limit) {
    ares_options options{};
    options.sock_state_cb = &Lookup::OnSocketState;
    options.sock_state_cb_data = this;
    options.timeout = static_cast<int>(
        std::chrono::duration_cast<std::chrono::milliseconds>(limit).count() / 2 + 1);
    options.tries = 2;
    if (::ares_init_options(&channel_, &options,
                            ARES_OPT_SOCK_STATE_CB | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) !=
        ARES_SUCCESS) {
      channel_ = nullptr;
      Finish();
      return;
    }
    limit_ = loop_.After(limit, [this] { Finish(); });
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = ARES_AI_NUMERICSERV;
    ::ares_getaddrinfo(channel_, host.c_str(), std::to_string(port).c_str(), &hints,
                       &Lookup::OnAddresses, this);
    ScheduleTimeout();
  }

  void Deliver() { callback_(std::move(addresses_)); }

 private:
  static void OnSocketState(void* self, ares_socket_t fd, int readable, int writable) {
    static_cast<Lookup*>(self)->Watch(fd, readable != 0, writable != 0);
  }

  static void OnAddresses(void* self, int status, int /*timeouts*/, ares_addrinfo* found) {
    auto* lookup = static_cast<Lookup*>(self);
    if (status == ARES_SUCCESS && found != nullptr) {
      lookup->Take(*found);
    }
    if (found != nullptr) {
      ::ares_freeaddrinfo(found);
    }
    if (status != ARES_EDESTRUCTION) {
      lookup->Finish();
    }
  }

  void Take(const ares_addrinfo& found) {
    for (const ares_addrinfo_node* node = found.nodes;
         node != nullptr && addresses_.size() < ipc::kMaxAddresses; node = node->ai_next) {
      SocketAddress address;
      if (node->ai_addrlen <= sizeof address.storage) {
        std::memcpy(&address.storage, node->ai_addr, node->ai_addrlen);
        address.size = node->ai_addrlen;
        addresses_.push_back(address);
      }
    }
  }

  void Watch(int fd, bool readable, bool writable) {
    const std::uint32_t events = (readable ? static_cast<std::uint32_t>(EPOLLIN) : 0U) |
                                 (writable ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
    if (events == 0) {
      loop_.Unwatch(fd);
      watched_.erase(fd);
      return;
    }
    if (watched_.contains(fd)) {
      (void)loop_.Modify(fd, events).has_value();  // a lost event only costs c-ares a retry
      return;
    }
    if (loop_.Watch(fd, events, [this, fd](std::uint32_t ready) { Process(fd, ready); })) {
      watched_.insert(fd);
    }
  }

  void Process(int fd, std::uint32_t ready) {
    const bool writable = (ready & EPOLLOUT) != 0;
    const bool readable = (ready & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0;
    ::ares_process_fd(channel_, readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
    ScheduleTimeout();
  }

  void ScheduleTimeout() {
    loop_.Cancel(timer_);
    timeval next{};
    if (!finished_ && ::ares_timeout(channel_, nullptr, &next) != nullptr) {
      timer_ = loop_.After(
          std::chrono::seconds(next.tv_sec) + std::chrono::microseconds(next.tv_usec), [this] {
            ::ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
            ScheduleTimeout();
          });
    }
  }

  // Later, because c-ares may be calling: its channel must not be destroyed under it.
  void Finish() {
    if (!std::exchange(finished_, true)) {
      loop_.Post([owner = &owner_, self = this] { owner->Finished(self); });
    }
  }

  Resolver& owner_;
  EventLoop& loop_;
  Callback callback_;
  ares_channel channel_ = nullptr;
  std::set<int> watched_;
  EventLoop::TimerId timer_ = 0;
  EventLoop::TimerId limit_ = 0;
  std::vector<SocketAddress> addresses_;
  bool finished_ = false;
};

Result<std::unique_ptr<Resolver>> Resolver::Create(EventLoop& loop) {
  if (::ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
    return Error(ErrorCode::kInternal, "ares_library_init");
  }
  return std::unique_ptr<Resolver>(new Resolver(loop));
}

Resolver::Resolver(EventLoop& loop) : loop_(loop) {
}

Resolver::~Resolver() {
  lookups_.clear();
  ::ares_library_cleanup();
}

void Resolver::Resolve(const std::string& host,
                       std::uint16_t port,
                       BootTime limit,
                       Callback callback) {
  auto lookup = std::make_unique<Lookup>(*this, loop_, std::move(callback));
  Lookup* started = lookup.get();
  lookups_.push_back(std::move(lookup));
  started->Start(host, port, limit);
}

void Resolver::Finished(Lookup* lookup) {
  const auto found = std::ranges::find(lookups_, lookup, &std::unique_ptr<Lookup>::get);
  if (found == lookups_.end()) {
    return;
  }
  const std::unique_ptr<Lookup> done = std::move(*found);
  lookups_.erase(found);
  done->Deliver();
}

}  // namespace baokms::supervisor
