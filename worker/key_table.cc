#include "worker/key_table.h"

#include <cstddef>

#include "common/base/result.h"
#include "ipc/key_versions.h"
#include "worker/limits.h"

namespace baokms::worker {
namespace {

std::optional<TableKey> Derive(const contract::KeyIdentity& identity,
                               contract::KeyVersion version) {
  Result<contract::KeyBinding> binding = contract::BindKey(identity, version);
  if (!binding) {
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
  if (!ipc::CheckForm(table.versions())) {
    return ipc::OUTCOME_REQUEST_LIMIT;
  }
  Keys keys;
  const TableKey* active = nullptr;
  for (int i = 0; i < table.versions().version_size(); ++i) {
    std::optional<TableKey> key =
        Derive(identity_, {table.versions().version(i), table.versions().created_unix(i)});
    if (!key) {
      return ipc::OUTCOME_KEY_ID_MALFORMED;
    }
    const contract::KeyId key_id = key->binding.key_id;
    const auto [place, added] = keys.emplace(key_id, *std::move(key));
    if (!added) {
      return ipc::OUTCOME_KEY_ID_MALFORMED;
    }
    active = key_id.text() == table.active_key_id() ? &place->second : active;
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
    previous_until_ = now + kPreviousTableLifetime;
  }
  if (active != nullptr) {
    active_ = active->binding.key_id;
    highest_active_version_ = active->version.number;
  } else {
    active_.reset();
  }
  keys_ = std::move(keys);  // moving a map does not move its elements
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
