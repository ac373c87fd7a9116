#include "supervisor/status/rotation_machine.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "common/contract/limits.h"
#include "common/contract/registry_transition.h"

namespace baokms::supervisor {
namespace {

using contract::KeyRecord;
using contract::RecordState;
using contract::RegistryContents;
using contract::RegistryState;
using contract::TransitKeyMetadata;

using CreationTimes = std::map<std::int64_t, std::int64_t>;  // version to Unix seconds

CreationTimes TimesOf(const TransitKeyMetadata& metadata) {
  CreationTimes times;
  for (const contract::KeyVersion& version : metadata.versions) {
    times.emplace(version.number, version.created_at_unix);
  }
  return times;
}

std::optional<RotationFailure> FindFailure(const RegistryState& state,
                                           const TransitKeyMetadata& metadata,
                                           const contract::ConfigIdentity& identity) {
  if (!IsProfileValid(metadata)) {
    return RotationFailure::kProfileInvalid;
  }
  if (!contract::CheckBelongsTo(state, identity)) {
    return RotationFailure::kStateForeign;
  }
  if (metadata.latest_version < state.active().version.number) {
    return RotationFailure::kVersionRollback;
  }
  return FindUnusable(state, metadata) == nullptr ? std::nullopt
                                                  : std::optional(RotationFailure::kKeyUnusable);
}

Observation Failed(RotationFailure failure) {
  Observation failed;
  failed.failure = failure;
  return failed;
}

// OpenBao has keys that the registry lacks and has no room for.
Observation Full() {
  Observation full = Failed(RotationFailure::kRegistryFull);
  full.change = RotationChange::kKeys;
  return full;
}

// Returns the registry that follows `state` with these records; empty if it would be invalid.
std::optional<RegistryState> SuccessorOf(const RegistryState& state, RegistryContents contents) {
  contents.generation += 1;
  contents.previous_hash = state.current_hash();
  contents.records = contract::InWriteOrder(std::move(contents.records));
  auto next = RegistryState::Create(std::move(contents));
  if (!next || !contract::CheckTransition(state, *next)) {
    return std::nullopt;
  }
  return std::move(next).value();
}

// Step 5, used for one observation only.
class Candidates {
 public:
  Candidates(const RegistryState& state, const CreationTimes& times, std::int64_t now_unix)
      : times_(times), contents_(state.contents()), now_(now_unix) {
    for (const KeyRecord& record : contents_.records) {
      Index(record);
    }
  }

  // Adds the versions strictly between as retired. Returns false if a version has no creation time.
  bool AddBetween(std::int64_t active, std::int64_t latest) {
    for (std::int64_t version = active + 1; version < latest; ++version) {
      if (!decryptable_.contains(version) && !Add(version, RecordState::kRetired)) {
        return false;
      }
    }
    return true;
  }

  // Makes `latest` the only pending record. Returns false if that is impossible.
  bool SetPending(std::int64_t latest) {
    for (KeyRecord& record : contents_.records) {
      if (record.state == RecordState::kPending && record.version.number != latest) {
        record.state = RecordState::kRetired;
        change_ = RotationChange::kKeys;
      }
    }
    return Find(latest) != nullptr || (Add(latest, RecordState::kPending) && Find(latest));
  }

  void Count(std::int64_t latest, std::int64_t required) {
    KeyRecord& record = *Find(latest);
    const KeyRecord before = record;
    if (record.observed_at_unix == 0) {
      record.observed_at_unix = now_;
    }
    const bool counts = record.stable_observation_count < required;
    record.stable_observation_count += counts ? 1 : 0;
    const bool reached = record.stable_observation_count >= required;
    if (reached && (counts || record.stable_at_unix == 0)) {
      const std::int64_t earliest = std::max(record.observed_at_unix, record.stable_at_unix);
      clock_ = now_ < earliest ? ClockOrder::kRegressed : clock_;
      record.stable_at_unix = std::max(now_, earliest);
    }
    if (change_ == RotationChange::kNone && !(record == before)) {
      change_ = RotationChange::kBookkeeping;
    }
  }

  // Returns whether a record could not be added because the registry is full.
  [[nodiscard]] bool full() const { return full_; }

  [[nodiscard]] Observation Take(const RegistryState& state) && {
    Observation observation;
    observation.change = change_;
    observation.clock = clock_;
    if (change_ == RotationChange::kNone) {
      return observation;
    }
    observation.next = SuccessorOf(state, std::move(contents_));
    return observation.next ? observation : Failed(RotationFailure::kStateInvalid);
  }

 private:
  KeyRecord* Find(std::int64_t pending_version) {
    const auto found = std::ranges::find_if(contents_.records, [&](const KeyRecord& record) {
      return record.state == RecordState::kPending && record.version.number == pending_version;
    });
    return found == contents_.records.end() ? nullptr : &*found;
  }

  void Index(const KeyRecord& record) {
    key_ids_.insert(record.key_id);
    if (contract::Decrypts(record.state)) {
      decryptable_.insert(record.version.number);
    }
  }

  // A removed key stays removed: no record is added for it.
  bool Add(std::int64_t version, RecordState state) {
    const auto time = times_.find(version);
    if (time == times_.end()) {
      return false;
    }
    const contract::KeyVersion key{.number = version, .created_at_unix = time->second};
    const contract::KeyIdentity identity = contents_.records.front().identity;
    const auto key_id = contract::DeriveKeyId(identity, key);
    if (!key_id) {
      return false;
    }
    if (key_ids_.contains(*key_id)) {
      return true;
    }
    if (contents_.records.size() == contract::kMaxKeyRecords) {
      full_ = true;
      return false;
    }
    contents_.records.push_back({.identity = identity,
                                 .version = key,
                                 .key_id = *key_id,
                                 .state = state,
                                 .observed_at_unix = now_});
    Index(contents_.records.back());
    change_ = RotationChange::kKeys;
    return true;
  }

  const CreationTimes& times_;
  RegistryContents contents_;
  std::set<contract::KeyId> key_ids_;   // of all records
  std::set<std::int64_t> decryptable_;  // version numbers
  bool full_ = false;
  std::int64_t now_;
  RotationChange change_ = RotationChange::kNone;
  ClockOrder clock_ = ClockOrder::kKept;
};

bool IsStable(const KeyRecord& record, const RotationPolicy& policy) {
  return record.stable_at_unix != 0 &&
         record.stable_observation_count >= policy.required_observations;
}

}  // namespace

bool IsProfileValid(const TransitKeyMetadata& metadata) {
  return contract::CheckVersionBounds(metadata) &&
         contract::FindProfileProblems(metadata).empty() && contract::CheckVersionEntries(metadata);
}

const KeyRecord* FindUnusable(const RegistryState& state, const TransitKeyMetadata& metadata) {
  const CreationTimes times = TimesOf(metadata);
  const auto& records = state.contents().records;
  const auto found = std::ranges::find_if(records, [&](const KeyRecord& record) {
    const contract::KeyVersion& version = record.version;
    const auto created = times.find(version.number);
    return contract::Decrypts(record.state) &&
           (version.number < metadata.min_available_version ||
            version.number < metadata.min_decryption_version || created == times.end() ||
            created->second != version.created_at_unix);
  });
  return found == records.end() ? nullptr : &*found;
}

Observation Observe(const RegistryState& state,
                    const TransitKeyMetadata& metadata,
                    const contract::ConfigIdentity& identity,
                    const RotationPolicy& policy,
                    Counting counting,
                    std::int64_t now_unix) {
  const auto failure = FindFailure(state, metadata, identity);
  if (failure) {
    return Failed(*failure);
  }
  const std::int64_t active = state.active().version.number;
  const std::int64_t latest = metadata.latest_version;
  if (latest == active) {
    return {};
  }
  const CreationTimes times = TimesOf(metadata);
  Candidates candidates(state, times, now_unix);
  if (!candidates.AddBetween(active, latest)) {
    return candidates.full() ? Full() : Failed(RotationFailure::kKeyUnusable);
  }
  if (!candidates.SetPending(latest)) {
    return candidates.full() ? Full() : Failed(RotationFailure::kStateInvalid);
  }
  if (counting == Counting::kCounts) {
    candidates.Count(latest, policy.required_observations);
  }
  return std::move(candidates).Take(state);
}

Encryption EncryptionWith(const RegistryState& state, const TransitKeyMetadata& metadata) {
  return metadata.min_encryption_version > state.active().version.number ? Encryption::kBlocked
                                                                         : Encryption::kOpen;
}

const KeyRecord* PendingOf(const RegistryState& state) {
  const auto& records = state.contents().records;
  const auto found = std::ranges::find(records, RecordState::kPending, &KeyRecord::state);
  return found == records.end() ? nullptr : &*found;
}

std::optional<ActivationTimer> AdvanceTimer(const RegistryState& state,
                                            const RotationPolicy& policy,
                                            const std::optional<ActivationTimer>& timer,
                                            BootTime now) {
  const KeyRecord* pending = PendingOf(state);
  if (pending == nullptr || !IsStable(*pending, policy)) {
    return std::nullopt;
  }
  if (timer && timer->candidate == pending->key_id) {
    return timer;
  }
  return ActivationTimer{.candidate = pending->key_id, .started = now};
}

bool IsDue(const std::optional<ActivationTimer>& timer,
           const RotationPolicy& policy,
           BootTime now) {
  return timer && now - timer->started >= policy.activation_delay;
}

Promotion Promote(const RegistryState& state, std::int64_t now_unix) {
  Promotion promotion;
  RegistryContents contents = state.contents();
  for (KeyRecord& record : contents.records) {
    if (record.state == RecordState::kActive) {
      record.state = RecordState::kRetired;
      record.stable_observation_count = 0;
      record.stable_at_unix = 0;
    } else if (record.state == RecordState::kPending) {
      const std::int64_t earliest = std::max(record.observed_at_unix, record.stable_at_unix);
      promotion.clock = now_unix < earliest ? ClockOrder::kRegressed : ClockOrder::kKept;
      record.state = RecordState::kActive;
      record.promoted_at_unix = std::max(now_unix, earliest);
      contents.active_key_id = record.key_id;
    }
  }
  promotion.next = SuccessorOf(state, std::move(contents));
  return promotion;
}

}  // namespace baokms::supervisor
