#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/secret_buffer.h"
#include "common/contract/annotations.h"
#include "common/contract/key_id.h"
#include "common/contract/key_profile.h"
#include "common/openbao/api.h"
#include "proto/ipc.pb.h"
#include "worker/key_table.h"
#include "worker/known_versions.h"
#include "worker/operations.h"
#include "worker/transit_checks.h"

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
  key_ = *key;  // the table may change in the meantime
  Result<SecretBuffer> plaintext = SecretBuffer::TakeFrom(*request.mutable_plaintext());
  if (!plaintext) {
    return ipc::OUTCOME_OVERLOADED;
  }
  plaintext_ = *std::move(plaintext);
  return ipc::OUTCOME_OK;
}

void EncryptOperation::ReadMetadata() {
  CallTransit<contract::TransitKeyMetadata>(
      [this](const openbao::CallContext& call, openbao::Done<contract::TransitKeyMetadata> done) {
        return transit().ReadKey(call, std::move(done));
      },
      [this](ipc::Outcome outcome, const contract::TransitKeyMetadata& metadata) {
        if (outcome == ipc::OUTCOME_OK) {
          context().known.Remember(metadata);
          if (context().known.Confirm(key_->version) == KnownVersions::Answer::kConfirmed) {
            Encrypt();
            return;
          }
          outcome = ipc::OUTCOME_BAD_ANSWER;
        }
        End(outcome);
      });
}

void EncryptOperation::Encrypt() {
  CallTransit<openbao::EncryptValue>(
      [this](const openbao::CallContext& call, openbao::Done<openbao::EncryptValue> done) {
        return transit().Encrypt(call, key_->version.number, plaintext_.Reveal(),
                                 key_->associated_data, std::move(done));
      },
      [this](ipc::Outcome outcome, openbao::EncryptValue value) {
        OnEncrypted(outcome, std::move(value));
      });
}

void EncryptOperation::OnEncrypted(ipc::Outcome outcome, openbao::EncryptValue value) {
  if (outcome == ipc::OUTCOME_OK) {
    outcome = CheckEncrypted(value, key_->version.number);
  }
  if (outcome == ipc::OUTCOME_OK && !PutAnnotations()) {
    outcome = ipc::OUTCOME_INTERNAL;
  }
  if (outcome == ipc::OUTCOME_OK) {
    answer().set_ciphertext(std::move(value.ciphertext));
    answer().set_key_id(std::string(key_->binding.key_id.text()));
  }
  End(outcome);
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
