#include "common/contract/registry_transition.h"

namespace baokms::contract {
namespace {

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
  for (const KeyRecord& record : from.contents().records) {
    BAOKMS_TRY(CheckRecordKept(record, to.Find(record.key_id)));
  }
  return {};
}

}  // namespace baokms::contract
