#include "supervisor/broker/resolver.h"

#include <sys/epoll.h>
#include <sys/time.h>
#include <ares.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <set>
#include <string_view>
#include <utility>

#include "common/base/error.h"
#include "ipc/limits.h"
#include "supervisor/broker/resolver_config.h"

namespace baokms::supervisor {

namespace {

// How long one name server may take for one query before another server, or the same one, is asked
// again: short enough that a first server that is down does not fail a call.
constexpr BootTime kQueryTimeout = std::chrono::milliseconds(500);
constexpr int kQueryTries = 3;

constexpr std::string_view kLocalhost = "localhost";

// c-ares does not distinguish a server that is down from one that cannot answer now, and reports a
// hosts file without the name as a refused connection.
LookupStatus StatusOf(const LookupService& service, int ares_status) {
  if (ares_status == ARES_SUCCESS) {
    return LookupStatus::kSuccess;
  }
  const bool answered =
      ares_status == ARES_ENODATA || ares_status == ARES_ENOTFOUND || ares_status == ARES_EBADNAME;
  return answered || service.kind == LookupService::Kind::kHostsFile ? LookupStatus::kNotFound
                                                                     : LookupStatus::kUnavailable;
}

// getaddrinfo(3) opens no file and sends no query if the host must be numeric.
std::vector<SocketAddress> ParseNumeric(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::vector<SocketAddress> addresses;
  // A scope would be looked up with a socket.
  if (host.find('%') == std::string::npos &&
      ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) == 0) {
    SocketAddress& address = addresses.emplace_back();
    std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
    address.size = found->ai_addrlen;
    ::freeaddrinfo(found);
  }
  return addresses;
}

// RFC 6761, section 6.3: always the loopback addresses. c-ares 1.18 knows this too, but leaks the
// name when the hosts file has it for one of the families only.
std::vector<SocketAddress> LocalhostAddresses(std::uint16_t port) {
  return MergeFamilies(ParseNumeric("::1", port), ParseNumeric("127.0.0.1", port));
}

}  // namespace

std::vector<SocketAddress> MergeFamilies(const std::vector<SocketAddress>& v6,
                                         const std::vector<SocketAddress>& v4) {
  const std::size_t kept_for_v4 = std::min<std::size_t>(v4.size(), ipc::kMaxAddresses / 2);
  const std::size_t of_v6 = std::min<std::size_t>(v6.size(), ipc::kMaxAddresses - kept_for_v4);
  const std::size_t of_v4 = std::min<std::size_t>(v4.size(), ipc::kMaxAddresses - of_v6);
  std::vector<SocketAddress> merged(v6.data(), v6.data() + of_v6);
  merged.insert(merged.end(), v4.data(), v4.data() + of_v4);
  return merged;
}

// The lookup of one name: in each service of the `hosts` line, and in DNS under each name that the
// search list yields, with a c-ares channel for each query. Calls back exactly once.
class Resolver::Lookup final {
 public:
  Lookup(Resolver& owner, EventLoop& loop, Callback callback)
      : owner_(owner), loop_(loop), callback_(std::move(callback)) {}

  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  ~Lookup() {
    loop_.Cancel(limit_);
    loop_.Cancel(next_);
    CloseChannel();
  }

  void Start(const std::string& host, std::uint16_t port, BootTime limit) {
    host_ = host;
    port_ = std::to_string(port);
    addresses_ = host == kLocalhost ? LocalhostAddresses(port) : ParseNumeric(host, port);
    if (!addresses_.empty()) {
      Finish();
      return;
    }
    limit_ = loop_.After(limit, [this] { Finish(); });
    services_ = ReadLookupServices();
    const SearchRules rules = ReadSearchRules();
    names_ = CandidateNames(host, rules);
    tcp_only_ = rules.tcp_only;
    Ask();
  }

  void Deliver() {
    if (addresses_.empty()) {
      addresses_ = MergeFamilies(found_v6_, found_v4_);
    }
    callback_(std::move(addresses_));
  }

 private:
  [[nodiscard]] const LookupService& service() const { return services_[service_]; }

  // Queries the current service for the current name.
  void Ask() {
    const bool dns = service().kind == LookupService::Kind::kDns;
    std::string lookups = dns ? "b" : "f";
    ares_options options{};
    // The names are absolute. c-ares itself ignores `use-vc` of resolv.conf.
    options.flags = ARES_FLAG_NOSEARCH | (tcp_only_ ? ARES_FLAG_USEVC : 0);
    options.lookups = lookups.data();
    options.sock_state_cb = &Lookup::OnSocketState;
    options.sock_state_cb_data = this;
    options.timeout = static_cast<int>(
        std::chrono::duration_cast<std::chrono::milliseconds>(kQueryTimeout).count());
    options.tries = kQueryTries;
    if (::ares_init_options(&channel_, &options,
                            ARES_OPT_FLAGS | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB |
                                ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES) != ARES_SUCCESS) {
      channel_ = nullptr;
      Finish();
      return;
    }
    // One address family at a time: a server that fails for AAAA must not lose the addresses of A.
    const std::string& name = dns ? names_[name_] : host_;
    outstanding_ = 2;
    for (const int family : {AF_INET6, AF_INET}) {
      ares_addrinfo_hints hints{};
      hints.ai_family = family;
      hints.ai_socktype = SOCK_STREAM;
      hints.ai_flags = ARES_AI_NUMERICSERV | ARES_AI_NOSORT;
      ::ares_getaddrinfo(channel_, name.c_str(), port_.c_str(), &hints, &Lookup::OnAddresses, this);
    }
    ScheduleTimeout();
  }

  // Continues after the current name. Deferred, because c-ares may be inside a callback and its
  // channel must not be destroyed then.
  void Proceed() {
    next_ = loop_.After(BootTime::zero(), [this] {
      next_ = 0;
      CloseChannel();
      if (!found_v6_.empty() || !found_v4_.empty()) {
        status_ = LookupStatus::kSuccess;
      }
      const bool dns = service().kind == LookupService::Kind::kDns;
      if (status_ != LookupStatus::kSuccess && dns && ++name_ < names_.size()) {
        Ask();
        return;
      }
      const bool over = service().ReturnsOn(status_) || ++service_ == services_.size();
      status_ = LookupStatus::kNotFound;
      name_ = 0;
      if (over) {
        Finish();
      } else {
        Ask();
      }
    });
  }

  void CloseChannel() {
    loop_.Cancel(timer_);
    if (channel_ != nullptr) {
      ::ares_destroy(std::exchange(channel_, nullptr));  // ends its queries with ARES_EDESTRUCTION
    }
    for (const int fd : watched_) {
      loop_.Unwatch(fd);
    }
    watched_.clear();
  }

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
    if (status == ARES_EDESTRUCTION) {
      return;
    }
    lookup->status_ = std::max(lookup->status_, StatusOf(lookup->service(), status));
    if (--lookup->outstanding_ == 0) {
      lookup->Proceed();
    }
  }

  void Take(const ares_addrinfo& found) {
    for (const ares_addrinfo_node* node = found.nodes; node != nullptr; node = node->ai_next) {
      std::vector<SocketAddress>& of_family = node->ai_family == AF_INET6 ? found_v6_ : found_v4_;
      SocketAddress address;
      if (node->ai_addrlen <= sizeof address.storage && of_family.size() < ipc::kMaxAddresses) {
        std::memcpy(&address.storage, node->ai_addr, node->ai_addrlen);
        address.size = node->ai_addrlen;
        of_family.push_back(address);
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
    if (outstanding_ > 0 && ::ares_timeout(channel_, nullptr, &next) != nullptr) {
      timer_ = loop_.After(
          std::chrono::seconds(next.tv_sec) + std::chrono::microseconds(next.tv_usec), [this] {
            ::ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
            ScheduleTimeout();
          });
    }
  }

  void Finish() {
    if (!std::exchange(finished_, true)) {
      loop_.Post([owner = &owner_, self = this] { owner->Finished(self); });
    }
  }

  Resolver& owner_;
  EventLoop& loop_;
  Callback callback_;
  std::string host_;
  std::string port_;
  std::vector<LookupService> services_;
  std::vector<std::string> names_;  // the names to query in DNS
  bool tcp_only_ = false;
  std::size_t service_ = 0;
  std::size_t name_ = 0;
  LookupStatus status_ = LookupStatus::kNotFound;  // result of the current service so far
  ares_channel channel_ = nullptr;
  int outstanding_ = 0;  // number of unfinished queries of the current name
  std::set<int> watched_;
  EventLoop::TimerId timer_ = 0;
  EventLoop::TimerId limit_ = 0;
  EventLoop::TimerId next_ = 0;
  std::vector<SocketAddress> found_v6_;  // at most ipc::kMaxAddresses each
  std::vector<SocketAddress> found_v4_;
  std::vector<SocketAddress> addresses_;  // of a numeric host; otherwise set by Deliver()
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
