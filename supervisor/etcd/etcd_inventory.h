// Counts the objects in etcd by who encrypted them. Pure and bounded; it holds no data of any
// object.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/contract/limits.h"
#include "supervisor/etcd/stored_value.h"

namespace baokms::supervisor {

// Maximum number of different keys and providers in one cluster: every version that a registry
// holds, and others. More indicate that this is not the etcd of a cluster, or an attack.
inline constexpr std::size_t kMaxInventoryGroups = 20000;
static_assert(kMaxInventoryGroups > contract::kMaxKeyRecords);

// Maximum number of kinds of objects: about 60 of Kubernetes' own and those of extensions.
inline constexpr std::size_t kMaxInventoryResources = 20000;

struct ResourceCount {
  std::uint64_t encrypted = 0;
  std::uint64_t plain = 0;
};

// Each Add function fails with kResourceExhausted above a maximum.
class EtcdInventory final {
 public:
  // Adds one object. `key` is its etcd key, "/registry/<resource>/...".
  [[nodiscard]] Status Add(std::string_view key, std::string_view value);

  // Adds many objects at once, as counted by another process.
  [[nodiscard]] Status AddGroup(StoredValue stored, std::uint64_t objects);
  [[nodiscard]] Status AddResource(std::string name, ResourceCount count);

  [[nodiscard]] const std::map<StoredValue, std::uint64_t>& groups() const { return groups_; }

  [[nodiscard]] const std::map<std::string, ResourceCount>& resources() const { return resources_; }

 private:
  std::map<StoredValue, std::uint64_t> groups_;
  std::map<std::string, ResourceCount> resources_;
};

// The objects under a prefix, as of one revision of etcd.
struct EtcdScan {
  EtcdInventory inventory;
  std::int64_t revision = 0;
};

}  // namespace baokms::supervisor
