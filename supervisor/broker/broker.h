// Makes the connections that workers and the auth agent may not make themselves: to numbered
// endpoints only, handed over while still connecting. It carries ciphertext it cannot read.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "proto/ipc.pb.h"
#include "supervisor/broker/resolver.h"
#include "supervisor/observe/metrics.h"

namespace baokms::supervisor {

// One endpoint of the sealed set-ups; its index is its number.
struct BrokerEndpoint {
  std::string host;
  std::uint16_t port = 0;
};

// What a child asked for. `socket` is valid only with OUTCOME_OK.
struct BrokerAnswer {
  ipc::Outcome outcome = ipc::OUTCOME_CONNECTION_FAILED;
  UniqueFd socket{};
  std::uint32_t address_count = 0;
};

// Lives on the loop's thread.
class Broker final {
 public:
  using Callback = std::function<void(BrokerAnswer)>;
  // Resolver::Resolve(), or what a test has in its place.
  using LookUpName =
      std::function<void(const std::string&, std::uint16_t, BootTime, Resolver::Callback)>;

  // `connect_limit` bounds a lookup; `loop` and `metrics` must outlive the broker.
  static Result<std::unique_ptr<Broker>> Create(EventLoop& loop,
                                                Metrics& metrics,
                                                std::vector<BrokerEndpoint> endpoints,
                                                BootTime connect_limit);

  // The same with another way to look names up, which calls back as the resolver does.
  static std::unique_ptr<Broker> CreateWith(LookUpName look_up,
                                            Metrics& metrics,
                                            std::vector<BrokerEndpoint> endpoints,
                                            BootTime connect_limit);

  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;
  ~Broker() = default;

  // Starts a connection to `endpoint` and calls back, later or at once, with a connecting socket.
  // `attempt` 0 is the address that worked last; each further one is the next address.
  // OUTCOME_INVALID_REQUEST: no such endpoint. `asked_by` and `id` name the connection in
  // Verdict().
  void Connect(std::string_view asked_by,
               const ipc::ConnectRequest& request,
               const Callback& callback);

  // How the connection `id` of `asked_by` turned out; a good one may turn out bad later (sealed, a
  // redirect). Unknown ids are ignored: an old one is no
  // breach, and the worst a lie does is to change the order of addresses.
  void Verdict(std::string_view asked_by, const ipc::ConnectVerdict& verdict);

 private:
  struct EndpointState {
    BrokerEndpoint endpoint;
    std::vector<SocketAddress> addresses{};
    BootTime resolved_at{};
    std::size_t last_good = 0;
    std::vector<std::function<void()>> waiting{};  // for the lookup in progress
    bool looking_up = false;
  };

  struct Made {
    std::uint32_t endpoint = 0;
    std::size_t address = 0;
  };

  Broker(LookUpName look_up, Metrics& metrics, BootTime limit)
      : look_up_(std::move(look_up)), metrics_(metrics), connect_limit_(limit) {}

  void LookUp(std::uint32_t endpoint);
  void ConnectNow(const std::string& asked_by,
                  const ipc::ConnectRequest& request,
                  const Callback& callback);
  void Remember(const std::string& asked_by, std::uint64_t id, Made made);

  LookUpName look_up_;
  Metrics& metrics_;
  BootTime connect_limit_;
  std::vector<EndpointState> endpoints_;
  std::map<std::pair<std::string, std::uint64_t>, Made> made_;
};

// A non-blocking TCP socket on which connect(2) was called, with TCP_NODELAY and a TCP_USER_TIMEOUT
// of 3 s (tcp(7)): a dead peer is noticed within a request's time.
Result<UniqueFd> StartConnect(const SocketAddress& address);

}  // namespace baokms::supervisor
