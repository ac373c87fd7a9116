#include "authagent/dispatch_tables.h"

#include <functional>
#include <utility>

#include "common/base/result.h"
#include "ipc/dispatch.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"

namespace baokms::authagent {

ipc::Dispatch SupervisorTable(SupervisorHandlers handlers) {
  using ipc::MessageType;
  ipc::Dispatch table;
  table.Add<ipc::HelloAnswer>(MessageType::kHelloAnswer, ipc::kPhaseHello,
                              std::move(handlers.hello_answer));
  table.Add<ipc::Tunables>(MessageType::kTunables, ipc::kPhaseServing,
                           std::move(handlers.tunables));
  table.AddWithDescriptor<ipc::ConnectAnswer>(MessageType::kConnectAnswer, ipc::kPhaseServing,
                                              ipc::Descriptor::kOptional,
                                              std::move(handlers.connect_answer));
  table.Add<ipc::PinAttemptAnswer>(MessageType::kPinAttemptAnswer, ipc::kPhaseServing,
                                   std::move(handlers.pin_attempt_answer));
  return table;
}

ipc::Dispatch WorkerTable(std::function<Status(ipc::LoginRequest&)> login_request) {
  ipc::Dispatch table;
  table.Add<ipc::LoginRequest>(ipc::MessageType::kLoginRequest, ipc::kPhaseServing,
                               std::move(login_request));
  return table;
}

}  // namespace baokms::authagent
