// Everything that may be said to the auth agent, and when. A message that is not here is a breach
// of the protocol by its sender.

#pragma once

#include <functional>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/dispatch.h"
#include "proto/ipc.pb.h"

namespace baokms::authagent {

struct SupervisorHandlers {
  std::function<Status(ipc::HelloAnswer&)> hello_answer;
  std::function<Status(ipc::Tunables&)> tunables;
  std::function<Status(ipc::ConnectAnswer&, UniqueFd)> connect_answer;
  std::function<Status(ipc::PinAttemptAnswer&)> pin_attempt_answer;
};

// The channel to the supervisor.
ipc::Dispatch SupervisorTable(SupervisorHandlers handlers);

// The channel to one worker, which has no first exchange: it is served from the start.
ipc::Dispatch WorkerTable(std::function<Status(ipc::LoginRequest&)> login_request);

}  // namespace baokms::authagent
