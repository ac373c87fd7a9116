#include "common/contract/registry.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "common/contract/invalid.h"
#include "common/contract/limits.h"
#include "common/contract/registry_json.h"

namespace baokms::contract {
namespace {

constexpr std::array<std::string_view, 5> kStateNames = {"active", "pending", "retired", "rejected",
                                                         "removed"};

Status CheckObservations(const KeyRecord& record) {
  if (record.observed_at_unix < 0 || record.stable_observation_count < 0 ||
      record.stable_at_unix < 0 || record.promoted_at_unix < 0) {
    return Invalid("record has a negative time or count");
  }
  if (record.stable_observation_count > 0 && record.observed_at_unix == 0) {
    return Invalid("record was counted but never observed");
  }
  if (record.stable_at_unix != 0 && record.stable_observation_count == 0) {
    return Invalid("record is stable but was never counted");
  }
  if (record.stable_at_unix != 0 && record.stable_at_unix < record.observed_at_unix) {
    return Invalid("record was stable before it was observed");
  }
  if (record.promoted_at_unix != 0 && record.promoted_at_unix < record.observed_at_unix) {
    return Invalid("record was promoted before it was observed");
  }
  return {};
}

Status CheckRecord(const KeyRecord& record) {
  if (!(BAOKMS_TRY(DeriveKeyId(record.identity, record.version)) == record.key_id)) {
    return Invalid("record has a key_id that is not its own");
  }
  return CheckObservations(record);
}

Status CheckUnique(const std::vector<KeyRecord>& records) {
  std::vector<std::string_view> ids;
  ids.reserve(records.size());
  for (const KeyRecord& record : records) {
    ids.push_back(record.key_id.text());
  }
  std::ranges::sort(ids);
  if (std::ranges::adjacent_find(ids) != ids.end()) {
    return Invalid("key_id is in the registry twice");
  }
  return {};
}

Result<std::size_t> FindActive(const RegistryContents& contents) {
  const auto& records = contents.records;
  if (std::ranges::count(records, RecordState::kActive, &KeyRecord::state) != 1) {
    return Invalid("registry does not have exactly one active record");
  }
  const auto active = std::ranges::find(records, RecordState::kActive, &KeyRecord::state);
  if (!(active->key_id == contents.active_key_id)) {
    return Invalid("active key_id is not that of the active record");
  }
  return static_cast<std::size_t>(active - records.begin());
}

}  // namespace

std::string_view ToString(RecordState state) {
  return kStateNames.at(static_cast<std::size_t>(state));
}

std::optional<RecordState> ParseRecordState(std::string_view text) {
  const auto* const found = std::ranges::find(kStateNames, text);
  if (found == kStateNames.end()) {
    return std::nullopt;
  }
  return static_cast<RecordState>(found - kStateNames.begin());
}

bool Decrypts(RecordState state) {
  return state == RecordState::kActive || state == RecordState::kPending ||
         state == RecordState::kRetired;
}

Result<RegistryState> RegistryState::Create(RegistryContents contents) {
  if (contents.generation == 0) {
    return Invalid("registry generation is zero");
  }
  if (contents.records.empty() || contents.records.size() > kMaxKeyRecords) {
    return Invalid("registry has no records, or too many");
  }
  for (const KeyRecord& record : contents.records) {
    BAOKMS_TRY(CheckRecord(record));
  }
  BAOKMS_TRY(CheckUnique(contents.records));
  const std::size_t active = BAOKMS_TRY(FindActive(contents));
  const StateHash hash = HashContents(contents);
  return RegistryState(std::move(contents), hash, active);
}

const KeyRecord* RegistryState::Find(const KeyId& key_id) const {
  const auto found = std::ranges::find(contents_.records, key_id, &KeyRecord::key_id);
  return found == contents_.records.end() ? nullptr : &*found;
}

std::vector<KeyRecord> InWriteOrder(std::vector<KeyRecord> records) {
  std::ranges::sort(records, [](const KeyRecord& a, const KeyRecord& b) {
    return std::tuple(a.state, b.version.number, a.key_id.text()) <
           std::tuple(b.state, a.version.number, b.key_id.text());
  });
  return records;
}

Status CheckBelongsTo(const RegistryState& state, const ConfigIdentity& identity) {
  const IdentityFingerprint fingerprint = BAOKMS_TRY(Fingerprint(identity));
  if (!(state.contents().identity_fingerprint == fingerprint)) {
    return Error(ErrorCode::kFailedPrecondition, "registry was written for another identity");
  }
  if (!std::ranges::all_of(state.contents().records, [&identity](const KeyRecord& record) {
        return record.identity == identity.key;
      })) {
    return Error(ErrorCode::kFailedPrecondition,
                 "registry record was written for another identity");
  }
  return {};
}

}  // namespace baokms::contract
