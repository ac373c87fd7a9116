#include "supervisor/state_commands/version_needs.h"

#include <map>
#include <string_view>
#include <utility>

#include "common/contract/encoding.h"
#include "supervisor/config/text_rules.h"

namespace baokms::supervisor {
namespace {

using contract::KeyRecord;
using contract::RecordState;
using contract::RegistryState;

constexpr std::string_view kOwnEncryption = "kms-v2";

// What a group of stored values means for this node.
enum class Meaning : std::uint8_t {
  kOwn,      // of a record that decrypts
  kRemoved,  // of a record that was retired on this node
  kUnknown,  // of this provider or this key, but without a record
  kForeign,  // encrypted by another provider, or not encrypted
};

struct ClassifiedVersion {
  Meaning meaning = Meaning::kForeign;
  const KeyRecord* record = nullptr;  // kOwn and kRemoved
};

class VersionClassifier final {
 public:
  explicit VersionClassifier(const RegistryState& state)
      : state_(state), lineage_hash_(contract::HashText(state.active().identity.key_lineage_id)) {}

  [[nodiscard]] ClassifiedVersion Of(const StoredValue& stored) const {
    if (stored.encryption != kOwnEncryption) {
      return {};
    }
    const bool own_name = stored.provider == state_.active().identity.provider_name;
    if (!own_name && stored.lineage_hash != lineage_hash_) {
      return {};
    }
    const auto key_id = contract::KeyId::Parse(stored.key_id);
    const KeyRecord* record = own_name && key_id ? state_.Find(*key_id) : nullptr;
    if (record == nullptr) {
      return {.meaning = Meaning::kUnknown, .record = nullptr};
    }
    return {.meaning = contract::Decrypts(record->state) ? Meaning::kOwn : Meaning::kRemoved,
            .record = record};
  }

 private:
  const RegistryState& state_;
  std::string lineage_hash_;
};

FactRow RowOf(const StoredValue& stored, const ClassifiedVersion& classified, std::uint64_t count) {
  FactRow row{{"encryption", stored.encryption}};
  if (!stored.provider.empty()) {
    row.emplace_back("provider", Printable(stored.provider));
  }
  if (stored.encryption == kOwnEncryption) {
    row.emplace_back("keyIdHash", stored.key_id.empty() ? "" : contract::HashText(stored.key_id));
  }
  if (classified.record != nullptr) {
    row.emplace_back("transitVersion", classified.record->version.number);
    row.emplace_back("state", std::string(contract::ToString(classified.record->state)));
  } else if (classified.meaning == Meaning::kUnknown) {
    row.emplace_back("state", std::string("unknown"));
  }
  row.emplace_back("objects", count);
  return row;
}

std::vector<FactRow> MixedRows(const EtcdInventory& inventory) {
  std::vector<FactRow> rows;
  for (const auto& [resource, count] : inventory.resources()) {
    if (count.encrypted > 0 && count.plain > 0) {
      rows.push_back({{"resource", Printable(resource)},
                      {"encrypted", count.encrypted},
                      {"plain", count.plain}});
    }
  }
  return rows;
}

// Counts per version of this key, and the obstacles.
struct Tally {
  std::map<std::int64_t, std::uint64_t> by_version;
  std::uint64_t removed = 0;
  std::uint64_t unknown = 0;
};

std::string OlderText(const Tally& tally, std::int64_t active) {
  std::string text;
  for (const auto& [version, count] : tally.by_version) {
    if (version < active) {
      text.append(text.empty() ? "" : ", ").append(std::to_string(count));
      text.append(" of version ").append(std::to_string(version));
    }
  }
  return text;
}

std::string FindObstacle(const Tally& tally,
                         const VersionNeeds& needs,
                         const RegistryState& state,
                         const contract::TransitKeyMetadata& metadata) {
  const std::int64_t active = state.active().version.number;
  if (tally.unknown > 0) {
    return std::to_string(tally.unknown) +
           " objects of this provider or this key have a key ID that this node does not know";
  }
  if (tally.removed > 0) {
    return std::to_string(tally.removed) +
           " objects need a version that was retired on this node: run restore-versions, then "
           "rewrite them";
  }
  if (const std::string older = OlderText(tally, active); !older.empty()) {
    return "objects are still encrypted with older versions (" + older + "): rewrite them";
  }
  if (metadata.latest_version > active) {
    return "version " + std::to_string(metadata.latest_version) +
           " is not active on this node yet: wait for the end of the rotation";
  }
  if (needs.own == 0) {
    return "no object of this provider was found: check that this is the etcd of the cluster and "
           "that --prefix is right";
  }
  return "";
}

}  // namespace

VersionNeeds CheckVersionNeeds(const EtcdInventory& inventory,
                               const RegistryState& state,
                               const contract::TransitKeyMetadata& metadata) {
  const VersionClassifier classifier(state);
  VersionNeeds needs;
  Tally tally;
  for (const auto& [stored, count] : inventory.groups()) {
    const ClassifiedVersion classified = classifier.Of(stored);
    needs.objects += count;
    needs.plain += stored.encryption == "none" ? count : 0;
    needs.own += classified.meaning == Meaning::kForeign ? 0 : count;
    tally.unknown += classified.meaning == Meaning::kUnknown ? count : 0;
    tally.removed += classified.meaning == Meaning::kRemoved ? count : 0;
    if (classified.record != nullptr) {
      tally.by_version[classified.record->version.number] += count;
    }
    needs.groups.push_back(RowOf(stored, classified, count));
  }
  needs.mixed = MixedRows(inventory);
  tally.by_version.try_emplace(state.active().version.number, 0);
  for (const auto& [version, count] : tally.by_version) {
    needs.needed.push_back(version);
  }
  if (tally.unknown == 0 && needs.own > 0) {
    needs.safe_minimum = needs.needed.front();
  }
  needs.obstacle = FindObstacle(tally, needs, state, metadata);
  return needs;
}

}  // namespace baokms::supervisor
