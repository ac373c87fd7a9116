#include "worker/encrypt_operation.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/secret_buffer.h"
#include "common/contract/annotations.h"
#include "common/contract/key_id.h"
#include "common/openbao/api.h"
#include "proto/ipc.pb.h"
#include "worker/key_table.h"
#include "worker/known_versions.h"
#include "worker/token_call.h"
#include "worker/transit_encrypt.h"
#include "worker/wipe.h"

namespace baokms::worker {
void EncryptOperation::Begin(ipc::EncryptRequest& request) {
  const ipc::Outcome outcome = Prepare(request);
  if (outcome != ipc::OUTCOME_OK) {
    End(outcome);
    return;
  }
  switch (context().known.Confirm(key_->version)) {
    case KnownVersions::Answer::kConfirmed:
      Encrypt();
      return;
    case KnownVersions::Answer::kUnknown:
      ReadMetadata();
      return;
    case KnownVersions::Answer::kRefuted:
      End(ipc::OUTCOME_BAD_ANSWER);
      return;
  }
}

ipc::Outcome EncryptOperation::Prepare(ipc::EncryptRequest& request) {
  const Result<contract::KeyId> key_id = contract::KeyId::Parse(request.key_id());
  if (!key_id) {
    return ipc::OUTCOME_KEY_ID_MALFORMED;
  }
  const TableKey* key =
      context().keys.FindForEncryption(*key_id, request.table_generation(), BootNow());
  if (key == nullptr) {
    return ipc::OUTCOME_STALE_TABLE;
  }
  const ipc::Outcome allowed = CheckPlaintext(request.plaintext(), key->version.number);
  if (allowed != ipc::OUTCOME_OK) {
    return allowed;
  }
  key_ = *key;  // the table may change meanwhile
  Result<SecretBuffer> plaintext =
      SecretBuffer::TakeFrom(MutableBytes(*request.mutable_plaintext()));
  if (!plaintext) {
    return ipc::OUTCOME_OVERLOADED;
  }
  plaintext_ = *std::move(plaintext);
  return ipc::OUTCOME_OK;
}

void EncryptOperation::ReadMetadata() {
  const auto start = [this](const openbao::CallContext& call,
                            std::function<void(openbao::CallReport)> ended) {
    return context().sources.transit.ReadKey(
        call, [this, ended = std::move(ended)](openbao::CallReport report,
                                               contract::TransitKeyMetadata metadata) {
          metadata_ = std::move(metadata);
          ended(std::move(report));
        });
  };
  metadata_call_.emplace(context().sources, deadline(), openbao::ConnectionUse::kAny, start,
                         [this](CallEnd end) { OnMetadata(std::move(end)); });
  metadata_call_->Begin();
}

void EncryptOperation::OnMetadata(CallEnd end) {
  Account(end, answer());
  if (end.outcome != ipc::OUTCOME_OK) {
    End(end.outcome);
    return;
  }
  context().known.Remember(metadata_);
  if (context().known.Confirm(key_->version) != KnownVersions::Answer::kConfirmed) {
    End(ipc::OUTCOME_BAD_ANSWER);
    return;
  }
  Encrypt();
}

void EncryptOperation::Encrypt() {
  TransitEncrypt::Job job{std::move(plaintext_), key_->version.number, key_->associated_data};
  encrypt_.emplace(context().sources, deadline(), std::move(job),
                   [this](CallEnd end, std::string ciphertext) {
                     OnEncrypted(std::move(end), std::move(ciphertext));
                   });
  encrypt_->Begin();
}

void EncryptOperation::OnEncrypted(CallEnd end, std::string ciphertext) {
  Account(end, answer());
  if (end.outcome == ipc::OUTCOME_OK && !PutAnnotations()) {
    end.outcome = ipc::OUTCOME_INTERNAL;
  }
  if (end.outcome == ipc::OUTCOME_OK) {
    answer().set_ciphertext(std::move(ciphertext));
    answer().set_key_id(std::string(key_->binding.key_id.text()));
  }
  End(end.outcome);
}

bool EncryptOperation::PutAnnotations() {
  const Result<std::vector<contract::Annotation>> annotations =
      contract::BuildAnnotations(key_->binding, context().plugin_version);
  if (!annotations) {
    return false;
  }
  for (const contract::Annotation& annotation : *annotations) {
    ipc::IpcAnnotation* entry = answer().add_annotations();
    entry->set_key(std::string(annotation.key));
    entry->set_value(annotation.value);
  }
  return true;
}

}  // namespace baokms::worker
