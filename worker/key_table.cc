#include "worker/key_table.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/contract/aad.h"
#include "common/contract/identity.h"
#include "common/contract/key_binding.h"
#include "common/contract/key_id.h"
#include "ipc/limits.h"
#include "proto/ipc.pb.h"
#include "worker/limits.h"

namespace baokms::worker {
namespace {

// Derives the entry anew; nothing when its key_id is not what comes out.
std::optional<TableKey> Derive(const contract::KeyIdentity& identity, const ipc::KeyEntry& entry) {
  const contract::KeyVersion version{entry.version(), entry.created_unix()};
  Result<contract::KeyBinding> binding = contract::BindKey(identity, version);
  if (!binding || binding->key_id.text() != entry.key_id()) {
    return std::nullopt;
  }
  std::string associated_data = contract::AssociatedData(*binding);
  return TableKey{*std::move(binding), version, std::move(associated_data)};
}

}  // namespace

ipc::Outcome KeyTable::Accept(const ipc::KeyTable& table, BootTime now) {
  if (table.generation() <= generation_) {
    return ipc::OUTCOME_STALE_TABLE;
  }
  if (static_cast<std::size_t>(table.entries_size()) > ipc::kMaxKeyVersions) {
    return ipc::OUTCOME_REQUEST_LIMIT;
  }
  Keys keys;
  const TableKey* active = nullptr;
  for (const ipc::KeyEntry& entry : table.entries()) {
    std::optional<TableKey> key = Derive(identity_, entry);
    if (!key) {
      return ipc::OUTCOME_KEY_ID_MALFORMED;
    }
    const contract::KeyId key_id = key->binding.key_id;
    const auto [place, added] = keys.emplace(key_id, *std::move(key));
    if (!added) {
      return ipc::OUTCOME_KEY_ID_MALFORMED;
    }
    active = entry.key_id() == table.active_key_id() ? &place->second : active;
  }
  if (active == nullptr && !table.active_key_id().empty()) {
    return ipc::OUTCOME_KEY_ID_UNKNOWN;
  }
  if (active != nullptr && active->version.number < highest_active_version_) {
    return ipc::OUTCOME_STALE_TABLE;
  }
  TakeOver(std::move(keys), active, now);
  generation_ = table.generation();
  return ipc::OUTCOME_OK;
}

void KeyTable::TakeOver(Keys keys, const TableKey* active, BootTime now) {
  if (active_ && (active == nullptr || active->binding.key_id != *active_)) {
    previous_active_ = active_;
    previous_until_ = now + kStraddle;
  }
  if (active != nullptr) {
    active_ = active->binding.key_id;
    highest_active_version_ = active->version.number;
  } else {
    active_.reset();
  }
  keys_ = std::move(keys);  // a map keeps its elements where they are
}

const TableKey* KeyTable::Find(const contract::KeyId& key_id) const {
  const auto found = keys_.find(key_id);
  return found == keys_.end() ? nullptr : &found->second;
}

const TableKey* KeyTable::active() const {
  return active_ ? Find(*active_) : nullptr;
}

const TableKey* KeyTable::FindForEncryption(const contract::KeyId& key_id,
                                            std::uint64_t generation,
                                            BootTime now) const {
  if (generation > generation_) {
    return nullptr;
  }
  const bool straddles = generation < generation_ && now < previous_until_;
  if ((active_ && *active_ == key_id) ||
      (straddles && previous_active_ && *previous_active_ == key_id)) {
    return Find(key_id);
  }
  return nullptr;
}

}  // namespace baokms::worker
