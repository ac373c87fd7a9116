// Opens the connections that the workers and the auth agent may not open themselves: to numbered
// endpoints only, and handed over while they are still being established. TLS is terminated in the
// child, so the broker never sees the content of a connection.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/token_bucket.h"
#include "common/base/unique_fd.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"
#include "supervisor/broker/address_list.h"
#include "supervisor/broker/resolver.h"
#include "supervisor/observe/metrics.h"

namespace baokms::supervisor {

// One endpoint of the sealed set-ups; its index is its number.
struct BrokerEndpoint {
  std::string host;
  std::uint16_t port = 0;
};

// The answer to one request. `socket` is valid only with OUTCOME_OK.
struct BrokerAnswer {
  ipc::Outcome outcome = ipc::OUTCOME_CONNECTION_FAILED;
  UniqueFd socket{};
  std::uint32_t address = 0;  // number of the address that was tried; 0: none
  std::uint32_t untried = 0;  // number of addresses that the call has not tried yet
  // This machine itself refuses to send to the address, because of IPAddressDeny= of the unit or a
  // packet filter. Found out once a minute at most, while no connection becomes usable.
  bool blocked = false;
};

// Belongs to the loop's thread.
class Broker final {
 public:
  using Callback = std::function<void(BrokerAnswer)>;
  // Resolver::Resolve(), or a test's replacement.
  using LookUpName =
      std::function<void(const std::string&, std::uint16_t, BootTime, Resolver::Callback)>;

  // `connect_timeout` bounds how long a request waits for a lookup; `loop` and `metrics` must
  // outlive the broker.
  static Result<std::unique_ptr<Broker>> Create(EventLoop& loop,
                                                Metrics& metrics,
                                                std::vector<BrokerEndpoint> endpoints,
                                                BootTime connect_timeout);

  // Like Create(), with another function to look up names, which must call back as the resolver
  // does.
  Broker(EventLoop& loop,
         LookUpName look_up,
         Metrics& metrics,
         std::vector<BrokerEndpoint> endpoints,
         BootTime connect_timeout);

  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;
  ~Broker();

  // Starts a connection to an address of `endpoint` that `request` does not list as tried, and
  // calls back, immediately or later, with a connecting socket. The first address is the one that
  // worked last; the others follow in a fixed order. A connect(2) that fails immediately is
  // answered with OUTCOME_CONNECTION_FAILED and the address's number, so that the caller continues
  // with the next one. OUTCOME_INVALID_REQUEST: there is no such endpoint, or more addresses were
  // tried than an endpoint can have. Above ipc::kConnectsStarted the answer is
  // OUTCOME_CONNECTION_FAILED without an address. `asked_by` names a slot and not a process, so
  // that a successor has no rate of its own; with the request's id it identifies the connection in
  // TakeReport().
  void Connect(std::string_view asked_by,
               const ipc::ConnectRequest& request,
               const Callback& callback);

  // Records whether a connection that `asked_by` requested is usable. A usable one may become
  // unusable later, when its server is sealed or redirects. Unknown ids and repetitions are
  // ignored: an old id is no protocol violation, and a false report can only change the order of
  // addresses.
  void TakeReport(std::string_view asked_by, const ipc::ConnectReport& report);

  // Expects no more reports of the process in `asked_by`, which has exited.
  void Forget(std::string_view asked_by);

 private:
  struct EndpointState {
    BrokerEndpoint endpoint;
    AddressList addresses{};
    BootTime resolved_at{};
    std::vector<std::function<void()>> waiting{};  // for the lookup in progress
    EventLoop::TimerId answer_timer = 0;           // time limit of the waiting requests
    bool looking_up = false;
    // When the first of the connections was started that have not become usable.
    std::optional<BootTime> in_vain_since{};
  };

  struct Connection {
    std::uint32_t endpoint = 0;
    std::uint32_t address = 0;
    bool usable = false;  // reported
  };

  struct Asker {
    TokenBucket starts{ipc::kConnectsStarted.burst, ipc::kConnectsStarted.per_second};
    std::map<std::uint64_t, Connection> connections{};  // by the id of the request
  };

  static constexpr double kLooksPerSecond = 1.0 / 60;  // a filter stays

  void LookUp(std::uint32_t endpoint);
  void AnswerWaiting(std::uint32_t endpoint);
  void ConnectNow(const std::string& asked_by,
                  const ipc::ConnectRequest& request,
                  const Callback& callback);
  bool IsBlocked(EndpointState& state, const SocketAddress& address);
  static void Remember(Asker& asker, std::uint64_t id, Connection connection);

  EventLoop& loop_;
  LookUpName look_up_;
  Metrics& metrics_;
  BootTime connect_timeout_;
  TokenBucket looks_{1, kLooksPerSecond};
  std::vector<EndpointState> endpoints_;
  // By name, so that none displaces connections of others or uses up their rate.
  std::map<std::string, Asker, std::less<>> askers_;
};

}  // namespace baokms::supervisor
