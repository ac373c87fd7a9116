// Encrypt: with the active key of the admission's table, and only once metadata that this worker
// read itself confirms that key.

#pragma once

#include <optional>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/base/secret_buffer.h"
#include "common/contract/key_profile.h"
#include "common/openbao/api.h"
#include "proto/ipc.pb.h"
#include "worker/key_table.h"
#include "worker/operation.h"
#include "worker/token_call.h"
#include "worker/transit_encrypt.h"

namespace baokms::worker {

class EncryptOperation final : public AnsweringOperation<ipc::EncryptAnswer> {
 public:
  EncryptOperation(const OperationContext& context, BootTime deadline, Reply reply)
      : AnsweringOperation(context, deadline, std::move(reply)) {}

  // Takes the plaintext out of `request`. May end the operation at once.
  void Begin(ipc::EncryptRequest& request);

 private:
  ipc::Outcome Prepare(ipc::EncryptRequest& request);
  void ReadMetadata();
  void OnMetadata(CallEnd end);
  void Encrypt();
  void OnEncrypted(CallEnd end, std::string ciphertext);
  bool PutAnnotations();  // false: the plugin version is no text

  std::optional<TableKey> key_;
  SecretBuffer plaintext_;
  contract::TransitKeyMetadata metadata_;
  std::optional<TokenCall> metadata_call_;
  std::optional<TransitEncrypt> encrypt_;
};

}  // namespace baokms::worker
