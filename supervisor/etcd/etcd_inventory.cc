#include "supervisor/etcd/etcd_inventory.h"

#include <utility>

namespace baokms::supervisor {
namespace {

// Returns "secrets" for "/registry/secrets/default/name"; the whole key if it has no such part.
std::string ResourceOf(std::string_view key) {
  const std::size_t root = key.find('/', 1);
  if (root != std::string_view::npos) {
    key.remove_prefix(root + 1);
  }
  return std::string(key.substr(0, key.find('/')).substr(0, contract::kMaxAnnotationKeyBytes));
}

}  // namespace

Status EtcdInventory::Add(std::string_view key, std::string_view value) {
  StoredValue stored = ReadStoredValue(value);
  const bool plain = stored.encryption == "none";
  BAOKMS_TRY(
      AddResource(ResourceOf(key), {.encrypted = plain ? 0U : 1U, .plain = plain ? 1U : 0U}));
  return AddGroup(std::move(stored), 1);
}

Status EtcdInventory::AddGroup(StoredValue stored, std::uint64_t objects) {
  groups_[std::move(stored)] += objects;
  if (groups_.size() > kMaxInventoryGroups) {
    return Error(ErrorCode::kResourceExhausted, "too many different keys");
  }
  return {};
}

Status EtcdInventory::AddResource(std::string name, ResourceCount count) {
  ResourceCount& sum = resources_[std::move(name)];
  sum.encrypted += count.encrypted;
  sum.plain += count.plain;
  if (resources_.size() > kMaxInventoryResources) {
    return Error(ErrorCode::kResourceExhausted, "too many kinds of objects");
  }
  return {};
}

}  // namespace baokms::supervisor
