#include <string>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/base/secret_buffer.h"
#include "common/contract/annotations.h"
#include "common/contract/key_id.h"
#include "common/contract/request_verdict.h"
#include "common/contract/transit_ciphertext.h"
#include "common/openbao/api.h"
#include "proto/ipc.pb.h"
#include "worker/key_table.h"
#include "worker/operations.h"
#include "worker/transit_checks.h"

namespace baokms::worker {
namespace {

std::vector<contract::AnnotationView> ViewAnnotations(const ipc::DecryptRequest& request) {
  std::vector<contract::AnnotationView> views;
  views.reserve(static_cast<std::size_t>(request.annotations_size()));
  for (const ipc::IpcAnnotation& annotation : request.annotations()) {
    views.push_back({annotation.key(), annotation.value()});
  }
  return views;
}

ipc::Outcome CheckAnnotations(const std::vector<contract::AnnotationView>& annotations,
                              const TableKey& key) {
  const Result<contract::AnnotationFields> fields = contract::ParseAnnotations(annotations);
  if (!fields) {
    return ipc::OUTCOME_ANNOTATIONS_INVALID;
  }
  return contract::CompareAnnotations(*fields, key.binding) == contract::RequestVerdict::kAccepted
             ? ipc::OUTCOME_OK
             : ipc::OUTCOME_ANNOTATIONS_MISMATCH;
}

// The result of the checks: OUTCOME_OK with the key to use, or the first failure. KEY_ID_UNKNOWN
// takes precedence over all failures of annotations (docs/contract.md#decrypt).
struct DecryptCheck {
  ipc::Outcome outcome = ipc::OUTCOME_INTERNAL;
  const TableKey* key = nullptr;
};

DecryptCheck CheckDecrypt(const ipc::DecryptRequest& request, const KeyTable& keys) {
  if (request.ciphertext().empty()) {
    return {ipc::OUTCOME_INVALID_REQUEST, nullptr};
  }
  const std::vector<contract::AnnotationView> annotations = ViewAnnotations(request);
  const ipc::Outcome limits = OutcomeOfReceived(
      contract::CheckSealedLimits(request.ciphertext(), request.key_id(), annotations));
  if (limits != ipc::OUTCOME_OK) {
    return {limits, nullptr};
  }
  const Result<contract::KeyId> key_id = contract::KeyId::Parse(request.key_id());
  if (!key_id) {
    return {ipc::OUTCOME_KEY_ID_MALFORMED, nullptr};
  }
  const TableKey* key = keys.Find(*key_id);
  if (key == nullptr) {
    return {ipc::OUTCOME_KEY_ID_UNKNOWN, nullptr};
  }
  const ipc::Outcome annotated = CheckAnnotations(annotations, *key);
  if (annotated != ipc::OUTCOME_OK) {
    return {annotated, nullptr};
  }
  const ipc::Outcome sealed =
      OutcomeOfReceived(contract::CheckCiphertext(request.ciphertext(), key->version.number));
  return {sealed, sealed == ipc::OUTCOME_OK ? key : nullptr};
}

}  // namespace

void DecryptOperation::Begin(const ipc::DecryptRequest& request) {
  const DecryptCheck check = CheckDecrypt(request, context().keys);
  if (check.key == nullptr) {
    End(check.outcome);
    return;
  }
  ciphertext_ = request.ciphertext();
  associated_data_ = check.key->associated_data;
  CallTransit<SecretBuffer>(
      [this](const openbao::CallContext& call, openbao::Done<SecretBuffer> done) {
        return transit().Decrypt(call, ciphertext_, associated_data_, std::move(done));
      },
      [this](ipc::Outcome outcome, const SecretBuffer& plaintext) {
        End(PutPlaintext(outcome, plaintext, answer()));
      },
      request.fresh_connection() ? openbao::ConnectionUse::kFresh : openbao::ConnectionUse::kAny);
}

}  // namespace baokms::worker
