// The state of one call in progress: its request, its progress, and the report about it.
// exchange.cc changes it.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/openbao/address_search.h"
#include "common/openbao/api.h"
#include "common/openbao/connections.h"
#include "common/openbao/outcome.h"
#include "common/openbao/socket_requests.h"
#include "common/openbao/tls_identity.h"
#include "common/openbao/transfer.h"

namespace baokms::openbao {

// Interprets the response to one call. Deliver() is called at most once, after all other functions.
class CallHandler {
 public:
  CallHandler() = default;
  CallHandler(const CallHandler&) = delete;
  CallHandler& operator=(const CallHandler&) = delete;
  virtual ~CallHandler() = default;

  // Classifies `answer` and keeps its value. `transport` is the transport's own outcome for an
  // incomplete response; `request_id` may be set to the server's id of the request.
  virtual AttemptOutcome Classify(const HttpResponse& answer,
                                  const AttemptOutcome& transport,
                                  std::string& request_id) = 0;

  // Passes the report, and the value that Classify() kept, to the caller.
  virtual void Deliver(CallReport report) = 0;
};

// A call as submitted by the typed client.
struct NewCall {
  ipc::OpenBaoOperation operation = ipc::OPERATION_UNSPECIFIED;
  OutgoingRequest request;
  BootTime deadline{};
  ConnectionUse use = ConnectionUse::kAny;
  std::unique_ptr<CallHandler> handler;
  std::shared_ptr<const TlsIdentity> identity{};  // client certificate of new connections, or null
  ErrorClass refusal = ErrorClass::kOk;           // not kOk: end with this error and send nothing
  bool once = false;                              // repeat no request, and try no address twice
};

struct PendingCall {
  CallId id = 0;
  NewCall what;
  CallReport report;

  enum class Phase : std::uint8_t {
    kWaiting,  // for a connection
    kRunning,  // in libcurl
    kPausing,  // before a repetition
    kRefused,  // ends in the next iteration of the loop
  };
  Phase phase = Phase::kWaiting;
  BootTime wake_at{};  // when the clock next affects this call: at its deadline at the latest

  // The connection that the call needs.
  enum class Need : std::uint8_t {
    kAny,  // an idle one, or a new one
    kOwn,  // a new one, to the next address of `search`
  };
  Need need = Need::kAny;
  AddressSearch search;
  std::vector<Peer> refused_peers;          // sealed or redirecting servers: not used again
  SocketRequest* socket_request = nullptr;  // requested, but not received yet
  Transfer* transfer = nullptr;             // while kRunning
  BrokeredSocket socket;                    // held until libcurl takes it
  std::uint32_t address = 0;                // the number of the address it leads to

  BootTime connect_timeout{};       // the maximum time for one connection attempt
  bool connecting = false;          // no idle connection was free: connect_timeout applies
  bool on_idle_connection = false;  // the attempt uses a connection of an earlier call
  bool peer_was_refused = false;    // the new connection led to one of refused_peers
  std::uint64_t socket_id = 0;      // connection of the current response, stored while it was open
  std::optional<Peer> peer;

  std::size_t attempt_count = 0;
  ErrorClass last_error = ErrorClass::kUnknown;
  bool repeated = false;
  BootTime attempt_began{};
  BootTime connect_began{};
  BootTime request_began{};  // zero: not sent in this attempt
};

}  // namespace baokms::openbao
