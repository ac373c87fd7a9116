#include "common/contract/operator_steps.h"

#include <algorithm>
#include <utility>

#include "common/contract/invalid.h"

namespace baokms::contract {
namespace {

constexpr Error Refused(Literal what) {
  return Error(ErrorCode::kFailedPrecondition, what);
}

// Returns the generation after `from`, with otherwise unchanged contents.
RegistryContents Successor(const RegistryState& from) {
  RegistryContents contents = from.contents();
  contents.generation += 1;
  contents.previous_hash = from.current_hash();
  return contents;
}

// Sets the state of every record that `picks` selects to `target`.
template <typename Picks>
Result<OperatorStep> Change(const RegistryState& state, RecordState target, Picks picks) {
  OperatorStep step;
  RegistryContents contents = Successor(state);
  for (KeyRecord& record : contents.records) {
    if (picks(record)) {
      record.state = target;
      step.changed.push_back(record);
    }
  }
  if (!step.changed.empty()) {
    step.next = BAOKMS_TRY(RegistryState::Create(std::move(contents)));
  }
  return step;
}

bool IsRetiredOrRemoved(RecordState state) {
  return state == RecordState::kRetired || state == RecordState::kRemoved;
}

// Returns whether the records differ only by a change between retired and removed, below the active
// version.
bool IsOperatorChange(const KeyRecord& before, KeyRecord after, std::int64_t active_version) {
  if (before.state != after.state &&
      (!IsRetiredOrRemoved(before.state) || !IsRetiredOrRemoved(after.state) ||
       before.version.number >= active_version)) {
    return false;
  }
  after.state = before.state;
  return before == after;
}

bool CanDecrypt(const TransitKeyMetadata& metadata, const KeyVersion& version) {
  return version.number >= metadata.min_available_version &&
         version.number >= metadata.min_decryption_version;
}

Result<KeyRecord> RebuiltRecord(const KeyIdentity& identity,
                                const KeyVersion& version,
                                std::int64_t latest) {
  const KeyId key_id = BAOKMS_TRY(DeriveKeyId(identity, version));
  return KeyRecord{
      .identity = identity,
      .version = version,
      .key_id = key_id,
      .state = version.number == latest ? RecordState::kActive : RecordState::kRetired};
}

}  // namespace

Result<OperatorStep> RetireBefore(const RegistryState& state, std::int64_t before_version) {
  if (before_version <= 1 || before_version > state.active().version.number) {
    return Invalid("version must be above 1 and not above the active version");
  }
  return Change(state, RecordState::kRemoved, [before_version](const KeyRecord& record) {
    return record.state == RecordState::kRetired && record.version.number < before_version;
  });
}

Result<OperatorStep> RestoreVersions(const RegistryState& state,
                                     std::span<const std::int64_t> versions) {
  const auto is_wanted = [versions](const KeyRecord& record) {
    return record.state == RecordState::kRemoved &&
           std::ranges::find(versions, record.version.number) != versions.end();
  };
  for (const std::int64_t version : versions) {
    if (version < 1 || version >= state.active().version.number) {
      return Invalid("version to restore must be below the active version");
    }
    if (std::ranges::count(versions, version) != 1) {
      return Invalid("version to restore is named twice");
    }
    const auto same = [&](const KeyRecord& record) {
      return record.version.number == version && is_wanted(record);
    };
    if (std::ranges::count_if(state.contents().records, same) != 1) {
      return Refused("version to restore is not a removed one");
    }
  }
  return Change(state, RecordState::kRetired, is_wanted);
}

Status CheckOperatorTransition(const RegistryState& from, const RegistryState& to) {
  RegistryContents expected = Successor(from);
  const RegistryContents& actual = to.contents();
  if (!(expected.identity_fingerprint == actual.identity_fingerprint) ||
      expected.generation != actual.generation || expected.previous_hash != actual.previous_hash ||
      !(expected.active_key_id == actual.active_key_id)) {
    return Refused("operator step would change more than states of keys");
  }
  const std::int64_t active_version = from.active().version.number;
  const bool same = std::ranges::equal(expected.records, actual.records,
                                       [active_version](const auto& before, const auto& after) {
                                         return IsOperatorChange(before, after, active_version);
                                       });
  return same ? Status() : Refused("operator step would change a record that is not its to change");
}

Result<RegistryState> MigrateLegacy(const LegacyState& legacy, const ConfigIdentity& identity) {
  RegistryContents contents = legacy.contents;
  contents.identity_fingerprint = BAOKMS_TRY(Fingerprint(identity));
  contents.generation += 1;
  contents.previous_hash = legacy.current_hash;
  RegistryState next = BAOKMS_TRY(RegistryState::Create(std::move(contents)));
  BAOKMS_TRY(CheckBelongsTo(next, identity));
  return next;
}

Result<RegistryState> RebuildState(const ConfigIdentity& identity,
                                   const TransitKeyMetadata& metadata,
                                   const std::optional<Checkpoint>& checkpoint) {
  if (metadata.latest_version <= 1) {
    return Refused("key was never rotated: the provider makes its first state by itself");
  }
  const KeyVersion latest{
      .number = metadata.latest_version,
      .created_at_unix = BAOKMS_TRY(CreationTime(metadata, metadata.latest_version))};
  const IdentityFingerprint fingerprint = BAOKMS_TRY(Fingerprint(identity));
  const KeyId active_key_id = BAOKMS_TRY(DeriveKeyId(identity.key, latest));
  RegistryContents contents{.identity_fingerprint = fingerprint,
                            .generation = 1,
                            .previous_hash = {},
                            .active_key_id = active_key_id,
                            .records = {}};
  if (checkpoint) {
    contents.generation = checkpoint->generation + 1;
    contents.previous_hash = checkpoint->current_hash;
  }
  for (const KeyVersion& version : metadata.versions) {
    if (CanDecrypt(metadata, version)) {
      contents.records.push_back(BAOKMS_TRY(RebuiltRecord(identity.key, version, latest.number)));
    }
  }
  contents.records = InWriteOrder(std::move(contents.records));
  return RegistryState::Create(std::move(contents));
}

}  // namespace baokms::contract
