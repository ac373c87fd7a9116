#include <algorithm>
#include <utility>

#include "common/contract/key_id.h"
#include "common/contract/key_profile.h"
#include "common/openbao/api.h"
#include "ipc/key_versions.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"
#include "worker/known_versions.h"
#include "worker/operations.h"

namespace baokms::worker {
namespace {

// Returns false when a version is out of range. The client limits the list to kMaxMetadataVersions.
bool PutVersions(const contract::TransitKeyMetadata& metadata, ipc::MetadataAnswer& answer) {
  return std::ranges::all_of(metadata.versions, [&answer](const contract::KeyVersion& version) {
    return ipc::AppendVersion(version.number, version.created_at_unix, *answer.mutable_versions());
  });
}

void PutProfile(const contract::TransitKeyMetadata& metadata, ipc::MetadataAnswer& answer) {
  // A longer name is not one that we know; the supervisor treats an omitted one as unsupported.
  if (metadata.type.size() <= ipc::kMaxKeyTypeName) {
    answer.set_type(metadata.type);
  }
  answer.set_latest_version(metadata.latest_version);
  answer.set_min_available_version(metadata.min_available_version);
  answer.set_min_encryption_version(metadata.min_encryption_version);
  answer.set_min_decryption_version(metadata.min_decryption_version);
  answer.set_derived(metadata.derived);
  answer.set_convergent_encryption(metadata.convergent_encryption);
  answer.set_exportable(metadata.exportable);
  answer.set_allow_plaintext_backup(metadata.allow_plaintext_backup);
  answer.set_deletion_allowed(metadata.deletion_allowed);
  answer.set_soft_deleted(metadata.soft_deleted);
  answer.set_supports_encryption(metadata.supports_encryption);
  answer.set_supports_decryption(metadata.supports_decryption);
}

}  // namespace

void MetadataOperation::Begin(const ipc::MetadataRequest& /*request*/) {
  CallTransit<openbao::UpsertValue>(
      [this](const openbao::CallContext& call, openbao::Done<openbao::UpsertValue> done) {
        return transit().ReadUpsert(call, std::move(done));
      },
      [this](ipc::Outcome outcome, openbao::UpsertValue value) { OnUpsert(outcome, value); });
  CallTransit<contract::TransitKeyMetadata>(
      [this](const openbao::CallContext& call, openbao::Done<contract::TransitKeyMetadata> done) {
        return transit().ReadKey(call, std::move(done));
      },
      [this](ipc::Outcome outcome, const contract::TransitKeyMetadata& metadata) {
        OnKey(outcome, metadata);
      });
}

void MetadataOperation::Cancel() {
  answer().set_upsert_outcome(ipc::OUTCOME_CANCELED);
  AnsweringOperation::Cancel();
}

void MetadataOperation::OnKey(ipc::Outcome outcome, const contract::TransitKeyMetadata& metadata) {
  if (outcome == ipc::OUTCOME_OK) {
    context().known.Remember(metadata);
    if (PutVersions(metadata, answer())) {
      PutProfile(metadata, answer());
    } else {
      answer().clear_versions();
      outcome = ipc::OUTCOME_RESPONSE_LIMIT;
    }
  }
  key_outcome_ = outcome;
  EndWhenComplete();
}

void MetadataOperation::OnUpsert(ipc::Outcome outcome, openbao::UpsertValue value) {
  if (outcome == ipc::OUTCOME_OK) {
    answer().set_disable_upsert(value.disable_upsert);
  }
  upsert_outcome_ = outcome;
  EndWhenComplete();
}

void MetadataOperation::EndWhenComplete() {
  if (key_outcome_ && upsert_outcome_) {
    answer().set_upsert_outcome(*upsert_outcome_);
    End(*key_outcome_);
  }
}

}  // namespace baokms::worker
