// The two halves of the deep probe: Transit calls with the status-probe AAD, which no ciphertext of
// the cluster has. They accept any version, because a candidate is probed before it becomes active.

#pragma once

#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/base/secret_buffer.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "worker/operation.h"

namespace baokms::worker {

class ProbeEncryptOperation final
    : public AnsweringOperation<ipc::ProbeEncryptRequest,
                                ipc::ProbeEncryptAnswer,
                                ipc::MessageType::kProbeEncryptRequest> {
 public:
  ProbeEncryptOperation(const OperationContext& context, BootTime deadline, Reply reply)
      : AnsweringOperation(context, deadline, std::move(reply)) {}

  // Starts the operation, which may end immediately. Takes the plaintext out of `request`.
  void Begin(ipc::ProbeEncryptRequest& request);

 private:
  SecretBuffer plaintext_;
};

class ProbeDecryptOperation final
    : public AnsweringOperation<ipc::ProbeDecryptRequest,
                                ipc::ProbeDecryptAnswer,
                                ipc::MessageType::kProbeDecryptRequest> {
 public:
  ProbeDecryptOperation(const OperationContext& context, BootTime deadline, Reply reply)
      : AnsweringOperation(context, deadline, std::move(reply)) {}

  // Starts the operation, which may end immediately.
  void Begin(const ipc::ProbeDecryptRequest& request);

 private:
  std::string ciphertext_;
};

}  // namespace baokms::worker
