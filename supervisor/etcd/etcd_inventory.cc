#include "supervisor/etcd/etcd_inventory.h"

#include <utility>

#include "common/contract/limits.h"

namespace baokms::supervisor {
namespace {

// "secrets" of "/registry/secrets/default/name"; the whole key when it has no such part.
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
  ResourceCount& resource = resources_[ResourceOf(key)];
  (stored.encryption == "none" ? resource.plain : resource.encrypted) += 1;
  groups_[std::move(stored)] += 1;
  if (groups_.size() > kMaxCensusGroups || resources_.size() > kMaxCensusResources) {
    return Error(ErrorCode::kResourceExhausted, "too many different keys or kinds of objects");
  }
  return {};
}

}  // namespace baokms::supervisor
