#include "worker/metadata_operation.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>

#include "common/contract/key_id.h"
#include "common/contract/key_profile.h"
#include "common/openbao/api.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"
#include "worker/known_versions.h"
#include "worker/token_call.h"

namespace baokms::worker {
namespace {

// A type name that does not fit is no type we know; the supervisor judges it by its absence.
constexpr std::size_t kMaxTypeName = 64;

// False when a version is out of range or there are more than a message may hold.
bool PutVersions(const contract::TransitKeyMetadata& metadata, ipc::MetadataAnswer& answer) {
  if (metadata.versions.size() > ipc::kMaxKeyVersions) {
    return false;
  }
  for (const contract::KeyVersion& version : metadata.versions) {
    if (version.number < 1 || version.number > INT32_MAX) {
      return false;
    }
    ipc::KeyVersion* entry = answer.add_versions();
    entry->set_version(static_cast<std::uint32_t>(version.number));
    entry->set_created_unix(version.created_at_unix);
  }
  return true;
}

void PutProfile(const contract::TransitKeyMetadata& metadata, ipc::MetadataAnswer& answer) {
  if (metadata.type.size() <= kMaxTypeName) {
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
  using Ended = std::function<void(openbao::CallReport)>;
  key_call_.emplace(
      context().sources, deadline(), openbao::ConnectionUse::kAny,
      [this](const openbao::CallContext& call, Ended ended) {
        return StartKey(call, std::move(ended));
      },
      [this](CallEnd end) { OnKey(std::move(end)); });
  upsert_call_.emplace(
      context().sources, deadline(), openbao::ConnectionUse::kAny,
      [this](const openbao::CallContext& call, Ended ended) {
        return StartUpsert(call, std::move(ended));
      },
      [this](CallEnd end) { OnUpsert(std::move(end)); });
  upsert_call_->Begin();
  key_call_->Begin();
}

void MetadataOperation::Cancel() {
  answer().set_upsert_outcome(ipc::OUTCOME_CANCELED);
  AnsweringOperation::Cancel();
}

openbao::CallId MetadataOperation::StartKey(const openbao::CallContext& call,
                                            std::function<void(openbao::CallReport)> ended) {
  return context().sources.transit.ReadKey(
      call, [this, ended = std::move(ended)](openbao::CallReport report,
                                             contract::TransitKeyMetadata metadata) {
        metadata_ = std::move(metadata);
        ended(std::move(report));
      });
}

openbao::CallId MetadataOperation::StartUpsert(const openbao::CallContext& call,
                                               std::function<void(openbao::CallReport)> ended) {
  return context().sources.transit.ReadUpsert(
      call,
      [this, ended = std::move(ended)](openbao::CallReport report, openbao::UpsertValue value) {
        upsert_ = value;
        ended(std::move(report));
      });
}

void MetadataOperation::OnKey(CallEnd end) {
  Account(end, answer());
  if (end.outcome == ipc::OUTCOME_OK) {
    context().known.Remember(metadata_);
    if (PutVersions(metadata_, answer())) {
      PutProfile(metadata_, answer());
    } else {
      answer().clear_versions();
      end.outcome = ipc::OUTCOME_RESPONSE_LIMIT;
    }
  }
  key_outcome_ = end.outcome;
  EndWhenComplete();
}

void MetadataOperation::OnUpsert(CallEnd end) {
  Account(end, answer());
  if (end.outcome == ipc::OUTCOME_OK) {
    answer().set_disable_upsert(upsert_.disable_upsert);
  }
  upsert_outcome_ = end.outcome;
  EndWhenComplete();
}

void MetadataOperation::EndWhenComplete() {
  if (key_outcome_ && upsert_outcome_) {
    answer().set_upsert_outcome(*upsert_outcome_);
    End(*key_outcome_);
  }
}

}  // namespace baokms::worker
