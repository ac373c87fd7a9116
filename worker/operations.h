// The operations for the supervisor's requests, one class for each type of request. Begin() starts
// an operation, which may end immediately.

#pragma once

#include <optional>
#include <string>

#include "common/base/secret_buffer.h"
#include "common/contract/key_profile.h"
#include "common/openbao/api.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "worker/key_table.h"
#include "worker/operation.h"

namespace baokms::worker {

// Encrypt: uses the active key of the table under which the request was admitted, and only after
// metadata that this worker itself read has confirmed that key.
class EncryptOperation final : public AnsweringOperation<ipc::EncryptRequest,
                                                         ipc::EncryptAnswer,
                                                         ipc::MessageType::kEncryptRequest> {
 public:
  using AnsweringOperation::AnsweringOperation;

  // Takes the plaintext out of `request`.
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

// Decrypt: makes every check of docs/contract.md#decrypt in that order before it sends a request to
// OpenBao.
class DecryptOperation final : public AnsweringOperation<ipc::DecryptRequest,
                                                         ipc::DecryptAnswer,
                                                         ipc::MessageType::kDecryptRequest> {
 public:
  using AnsweringOperation::AnsweringOperation;

  void Begin(const ipc::DecryptRequest& request);

 private:
  std::string ciphertext_;
  std::string associated_data_;
};

// Reads config/keys and the key concurrently, and stores which versions exist; this worker later
// encrypts only with those.
class MetadataOperation final : public AnsweringOperation<ipc::MetadataRequest,
                                                          ipc::MetadataAnswer,
                                                          ipc::MessageType::kMetadataRequest> {
 public:
  using AnsweringOperation::AnsweringOperation;

  void Begin(const ipc::MetadataRequest& request);
  void Cancel() override;

 private:
  void OnKey(ipc::Outcome outcome, const contract::TransitKeyMetadata& metadata);
  void OnUpsert(ipc::Outcome outcome, openbao::UpsertValue value);
  void EndWhenComplete();

  std::optional<ipc::Outcome> key_outcome_;
  std::optional<ipc::Outcome> upsert_outcome_;
};

// The two halves of the deep probe: Transit calls with the status-probe AAD, which no ciphertext of
// the cluster has. They accept any version, because a candidate is probed before it becomes active.
class ProbeEncryptOperation final
    : public AnsweringOperation<ipc::ProbeEncryptRequest,
                                ipc::ProbeEncryptAnswer,
                                ipc::MessageType::kProbeEncryptRequest> {
 public:
  using AnsweringOperation::AnsweringOperation;

  // Takes the plaintext out of `request`.
  void Begin(ipc::ProbeEncryptRequest& request);

 private:
  SecretBuffer plaintext_;
};

class ProbeDecryptOperation final
    : public AnsweringOperation<ipc::ProbeDecryptRequest,
                                ipc::ProbeDecryptAnswer,
                                ipc::MessageType::kProbeDecryptRequest> {
 public:
  using AnsweringOperation::AnsweringOperation;

  void Begin(const ipc::ProbeDecryptRequest& request);

 private:
  std::string ciphertext_;
};

}  // namespace baokms::worker
