#include "common/contract/registry_transition.h"

#include <map>

namespace baokms::contract {
namespace {

// Whole seconds since 1970. An earlier time means that the clock is wrong.
constexpr std::int64_t kFirstSecond = 1;

constexpr Error Refused(Literal what) {
  return Error(ErrorCode::kFailedPrecondition, what);
}

bool IsActiveOrRetired(RecordState state) {
  return state == RecordState::kActive || state == RecordState::kRetired;
}

// `after` is the new version of the record `before`, or nullptr when it is gone.
Status CheckRecordKept(const KeyRecord& before, const KeyRecord* after) {
  switch (before.state) {
    case RecordState::kActive:
    case RecordState::kRetired:
      if (after == nullptr || !IsActiveOrRetired(after->state)) {
        return Refused("active or retired key would stop decrypting");
      }
      return {};
    case RecordState::kPending:
      if (after == nullptr || !Decrypts(after->state)) {
        return Refused("pending key would stop decrypting");
      }
      return {};
    case RecordState::kRejected:
    case RecordState::kRemoved:
      if (after == nullptr || !(*after == before)) {
        return Refused("removed record would change");
      }
      return {};
  }
  return Refused("record has an unknown state");
}

}  // namespace

Result<RegistryState> BuildFirstState(const ConfigIdentity& identity,
                                      const TransitKeyMetadata& metadata,
                                      std::int64_t now_unix) {
  if (metadata.latest_version != 1 || metadata.min_available_version > 1 ||
      metadata.min_decryption_version > 1) {
    return Refused("key was rotated but there is no state file");
  }
  if (now_unix < kFirstSecond) {
    return Refused("system clock is before 1970");
  }
  const auto fingerprint = BAOKMS_TRY(Fingerprint(identity));
  const KeyVersion version{.number = 1, .created_at_unix = BAOKMS_TRY(CreationTime(metadata, 1))};
  const KeyId key_id = BAOKMS_TRY(DeriveKeyId(identity.key, version));
  const KeyRecord record{.identity = identity.key,
                         .version = version,
                         .key_id = key_id,
                         .state = RecordState::kActive,
                         .observed_at_unix = now_unix,
                         .promoted_at_unix = now_unix};
  return RegistryState::Create({.identity_fingerprint = fingerprint,
                                .generation = 1,
                                .previous_hash = {},
                                .active_key_id = key_id,
                                .records = {record}});
}

Status CheckTransition(const RegistryState& from, const RegistryState& to) {
  if (!(to.contents().identity_fingerprint == from.contents().identity_fingerprint)) {
    return Refused("identity fingerprint would change");
  }
  if (to.contents().generation <= from.contents().generation) {
    return Refused("generation would not grow");
  }
  if (to.contents().previous_hash != from.current_hash()) {
    return Refused("new state is not linked to the old one");
  }
  if (to.active().version.number < from.active().version.number) {
    return Refused("active version would decrease");
  }
  // Find() for each record would take quadratic time, which is seconds for a full registry.
  std::map<KeyId, const KeyRecord*> after;
  for (const KeyRecord& record : to.contents().records) {
    after.emplace(record.key_id, &record);
  }
  for (const KeyRecord& record : from.contents().records) {
    const auto found = after.find(record.key_id);
    BAOKMS_TRY(CheckRecordKept(record, found == after.end() ? nullptr : found->second));
  }
  return {};
}

}  // namespace baokms::contract
