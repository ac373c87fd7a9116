// Decrypt: makes every check of docs/contract.md#decrypt in that order before it sends a request to
// OpenBao.

#pragma once

#include <string>
#include <utility>

#include "common/base/clock.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "worker/key_table.h"
#include "worker/operation.h"

namespace baokms::worker {

class DecryptOperation final : public AnsweringOperation<ipc::DecryptRequest,
                                                         ipc::DecryptAnswer,
                                                         ipc::MessageType::kDecryptRequest> {
 public:
  DecryptOperation(const OperationContext& context, BootTime deadline, Reply reply)
      : AnsweringOperation(context, deadline, std::move(reply)) {}

  // Starts the operation, which may end immediately.
  void Begin(const ipc::DecryptRequest& request);

 private:
  std::string ciphertext_;
  std::string associated_data_;
};

// The result of the checks: OUTCOME_OK with the key to use, or the first failure. KEY_ID_UNKNOWN
// takes precedence over all failures of annotations (docs/contract.md#decrypt).
struct DecryptCheck {
  ipc::Outcome outcome = ipc::OUTCOME_INTERNAL;
  const TableKey* key = nullptr;
};

DecryptCheck CheckDecrypt(const ipc::DecryptRequest& request, const KeyTable& keys);

}  // namespace baokms::worker
