// One call in progress: what it is, how far it got, and what will be reported about it. State only;
// exchange.cc moves it.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/openbao/api.h"
#include "common/openbao/connect_attempts.h"
#include "common/openbao/connections.h"
#include "common/openbao/tls_identity.h"
#include "common/openbao/transfer.h"

namespace baokms::openbao {

// Knows what the answer of one call means. Deliver() is called at most once, as the last thing.
class CallHandler {
 public:
  CallHandler() = default;
  CallHandler(const CallHandler&) = delete;
  CallHandler& operator=(const CallHandler&) = delete;
  virtual ~CallHandler() = default;

  // Reads the body of a 2xx answer and keeps its value. Returns the answer's request_id; fails when
  // the body is not what it should be.
  virtual Result<std::string> Parse(std::string_view body) = 0;

  // Gives the report, and the value that Parse() kept, to the caller.
  virtual void Deliver(CallReport report) = 0;
};

// A call as the typed client hands it over.
struct NewCall {
  ipc::Operation operation = ipc::OPERATION_UNSPECIFIED;
  OutgoingRequest request;
  BootTime deadline{};
  ConnectionUse use = ConnectionUse::kAny;
  std::unique_ptr<CallHandler> handler;
  std::shared_ptr<const TlsIdentity> identity{};  // what new connections show; null: nothing
  ErrorClass refusal = ErrorClass::kOk;           // not kOk: end with this, send nothing
};

struct Call {
  CallId id = 0;
  NewCall what;
  CallReport report;

  enum class Phase : std::uint8_t {
    kWaiting,  // for a connection
    kRunning,  // in libcurl
    kPausing,  // before a repetition
    kRefused,  // ends at the next turn of the loop
  };
  Phase phase = Phase::kWaiting;
  BootTime wake_at{};  // when the clock next concerns this call: its deadline at the latest

  // The connection it needs.
  enum class Need : std::uint8_t {
    kAny,  // an idle one, or a new one
    kOwn,  // a new one, to address number `attempt`
  };
  Need need = Need::kAny;
  std::uint32_t first_endpoint = 0;
  std::uint32_t endpoint = 0;
  std::uint32_t attempt = 0;
  std::vector<Peer> refused_peers;  // said sealed or redirected: never asked again
  ConnectAttempt* dial = nullptr;   // asked for, not here yet
  Transfer* transfer = nullptr;     // while kRunning
  BrokeredSocket socket;            // at hand, until libcurl takes it

  BootTime connect_limit{};         // how long one connection may take: a third of the time it had
  bool connecting = false;          // no idle connection was free: connect_limit counts
  bool on_idle_connection = false;  // the attempt did not make its own
  bool peer_was_refused = false;    // the new connection led to one of refused_peers
  std::uint64_t socket_id = 0;      // connection of the current answer, noted while it was open
  std::optional<Peer> peer;

  std::uint32_t attempts = 0;
  ErrorClass last_error = ErrorClass::kUnknown;
  bool repeated = false;
  BootTime attempt_began{};
  BootTime connect_began{};
  BootTime request_began{};  // zero: not sent in this attempt
};

}  // namespace baokms::openbao
