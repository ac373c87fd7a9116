#include "worker/dispatch_table.h"

#include <cstdint>
#include <functional>
#include <span>
#include <utility>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "common/openbao/broker_connector.h"
#include "ipc/dispatch.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "worker/decrypt_operation.h"
#include "worker/encrypt_operation.h"
#include "worker/kms_operations.h"
#include "worker/metadata_operation.h"
#include "worker/probe_operations.h"
#include "worker/token_source.h"

namespace baokms::worker {
namespace {

using ipc::Descriptor;
using ipc::kPhaseServing;
using Type = ipc::MessageType;

// Makes a handler from a member function.
template <typename Message, typename Receiver>
std::function<Status(Message&)> To(Receiver& receiver, Status (Receiver::*handler)(Message&)) {
  return [&receiver, handler](Message& message) {
    return (receiver.*handler)(message);
  };
}

template <typename Message, typename Receiver>
std::function<Status(Message&)> To(Receiver& receiver,
                                   Status (Receiver::*handler)(const Message&)) {
  return [&receiver, handler](Message& message) {
    return (receiver.*handler)(message);
  };
}

// Adds the requests, given by the operations that answer them.
template <typename... Kinds>
void AddRequests(ipc::Dispatch& table, KmsOperations& kms) {
  (table.Add(Kinds::kType, kPhaseServing, To(kms, &KmsOperations::Admit<Kinds>)), ...);
}

}  // namespace

void AcceptFromSupervisor(ipc::Dispatch& table,
                          openbao::BrokerConnector& connector,
                          KmsOperations& kms) {
  using Kms = KmsOperations;
  const auto on_connect = [&connector](ipc::ConnectAnswer& answer, UniqueFd fd) {
    return connector.OnAnswer(answer, std::move(fd));
  };
  table.AddWithDescriptor<ipc::ConnectAnswer>(Type::kConnectAnswer, kPhaseServing,
                                              Descriptor::kOptional, on_connect);
  table.Add(Type::kKeyTable, kPhaseServing, To(kms, &Kms::OnKeyTable));
  table.Add(Type::kCancelRequest, kPhaseServing, To(kms, &Kms::OnCancel));
  AddRequests<EncryptOperation, DecryptOperation, MetadataOperation, ProbeEncryptOperation,
              ProbeDecryptOperation>(table, kms);
}

ipc::Dispatch FromAgent(TokenSource& tokens) {
  ipc::Dispatch table;
  table.AddRaw(
      Type::kToken, kPhaseServing, Descriptor::kNone,
      [&tokens](std::span<std::uint8_t> body, UniqueFd /*fd*/) { return tokens.OnToken(body); });
  table.Add(Type::kLoginFailed, kPhaseServing, To(tokens, &TokenSource::OnLoginFailed));
  return table;
}

}  // namespace baokms::worker
