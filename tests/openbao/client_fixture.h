// A client on a loop of its own, with a connector that really connects to ports of this machine.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/event_loop.h"
#include "common/base/unique_fd.h"
#include "common/openbao/api.h"
#include "common/openbao/connector.h"
#include "tests/openbao/test_pki.h"

namespace baokms::openbao {

inline constexpr char kServerName[] = "bao.test";

// A non-blocking connection to a port of this machine, maybe not established yet; invalid when it
// was refused at once.
UniqueFd ConnectTo(std::uint16_t port);

// Endpoint i has the addresses 127.0.0.1:<ports[i][k]>, of which address number k + 1 is the k-th.
// A call begins at the last good one.
class LoopbackConnector final : public Connector {
 public:
  LoopbackConnector(EventLoop& loop, std::vector<std::vector<std::uint16_t>> ports);

  RequestId RequestSocket(std::uint32_t endpoint,
                          const std::vector<std::uint32_t>& tried,
                          Callback callback) override;
  void CancelRequest(RequestId request) override;
  void Report(std::uint64_t socket_id, SocketState state) override;

  struct Classified {
    std::uint16_t port;
    SocketState state;

    friend bool operator==(const Classified&, const Classified&) = default;
  };

  std::vector<Classified> reports;
  std::vector<std::uint16_t> asked;   // ports in the order of the requests
  std::optional<ErrorClass> refusal;  // when set, no socket is given out
  std::size_t budget = SIZE_MAX;      // sockets that are given out before kLoginBudgetUsedUp
  bool answers = true;                // when false, requests are never answered

 private:
  SocketAnswer Connect(std::uint64_t id);

  struct Asked {
    std::uint32_t endpoint;
    std::size_t address;    // index into the endpoint's ports; their number when all were tried
    std::uint32_t untried;  // others that are left
  };

  EventLoop& loop_;
  std::vector<std::vector<std::uint16_t>> ports_;
  std::vector<std::size_t> last_good_;
  std::map<RequestId, EventLoop::TimerId> pending_;
  std::map<std::uint64_t, Asked> requests_;
  RequestId last_id_ = 0;
};

template <typename Value>
struct Ended {
  CallReport report;
  Value value;
};

class ClientRig final {
 public:
  // One server endpoint with one address for each port.
  ClientRig(const TestAuthority& authority, std::vector<std::uint16_t> ports);

  // ports[i] are the addresses of endpoint i.
  ClientRig(const std::string& ca_pem,
            std::vector<std::vector<std::uint16_t>> ports,
            const std::function<void(ClientOptions&)>& adjust = {});

  // Runs the loop until `done` is true; fails the test after 20 s.
  void RunUntil(const std::function<bool()>& done);

  // Runs the loop until nothing is due, for at least `time`.
  void RunFor(std::chrono::milliseconds time);

  // Starts a call and runs the loop until it ended.
  template <typename Value>
  Ended<Value> Await(const std::function<CallId(Done<Value>)>& start) {
    std::optional<Ended<Value>> outcome;
    start([&](CallReport report, Value value) {
      outcome = Ended<Value>{std::move(report), std::move(value)};
    });
    RunUntil([&] { return outcome.has_value(); });
    return outcome.has_value() ? std::move(*outcome) : Ended<Value>{};
  }

  // GET config/keys, the smallest call there is.
  Ended<UpsertValue> ReadUpsert();
  Ended<UpsertValue> ReadUpsert(const CallContext& context);

  // A context with the rig's token and 5 s.
  [[nodiscard]] CallContext Context() const;
  [[nodiscard]] CallContext Context(std::chrono::milliseconds time) const;

  EventLoop& loop() { return *loop_; }

  LoopbackConnector& connector() { return *connector_; }

  Client& client() { return *client_; }

  // Destroys the client while the loop lives on.
  void DestroyClient() { client_.reset(); }

 private:
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<LoopbackConnector> connector_;
  SecretBuffer token_;
  std::unique_ptr<Client> client_;
};

inline constexpr char kUpsertAnswer[] =
    R"({"request_id":"r-1","data":{"disable_upsert":true},"auth":null})";

}  // namespace baokms::openbao
