// Encrypt: uses the active key of the table under which the request was admitted, and only after
// metadata that this worker itself read has confirmed that key.

#pragma once

#include <optional>
#include <utility>

#include "common/base/clock.h"
#include "common/base/secret_buffer.h"
#include "common/openbao/api.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "worker/key_table.h"
#include "worker/operation.h"

namespace baokms::worker {

class EncryptOperation final : public AnsweringOperation<ipc::EncryptRequest,
                                                         ipc::EncryptAnswer,
                                                         ipc::MessageType::kEncryptRequest> {
 public:
  EncryptOperation(const OperationContext& context, BootTime deadline, Reply reply)
      : AnsweringOperation(context, deadline, std::move(reply)) {}

  // Starts the operation, which may end immediately. Takes the plaintext out of `request`.
  void Begin(ipc::EncryptRequest& request);

 private:
  ipc::Outcome Prepare(ipc::EncryptRequest& request);
  void ReadMetadata();
  void Encrypt();
  void OnEncrypted(ipc::Outcome outcome, openbao::EncryptValue value);
  bool PutAnnotations();  // false: the plugin version is not valid UTF-8

  std::optional<TableKey> key_;
  SecretBuffer plaintext_;
};

}  // namespace baokms::worker
