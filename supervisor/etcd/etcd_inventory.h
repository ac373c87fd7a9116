// What is stored in etcd, counted by who encrypted it. Pure and bounded; it holds no data of any
// object.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "supervisor/etcd/stored_value.h"

namespace baokms::supervisor {

// Different keys and names in one cluster; more is no cluster of Kubernetes, or an attack.
inline constexpr std::size_t kMaxCensusGroups = 20000;

// Kinds of objects: some 60 of Kubernetes' own and those of extensions.
inline constexpr std::size_t kMaxCensusResources = 20000;

struct ResourceCount {
  std::uint64_t encrypted = 0;
  std::uint64_t plain = 0;
};

class EtcdInventory final {
 public:
  // `key` is the object's etcd key, "/registry/<resource>/...". kResourceExhausted above a maximum.
  [[nodiscard]] Status Add(std::string_view key, std::string_view value);

  [[nodiscard]] const std::map<StoredValue, std::uint64_t>& groups() const { return groups_; }

  [[nodiscard]] const std::map<std::string, ResourceCount>& resources() const { return resources_; }

 private:
  std::map<StoredValue, std::uint64_t> groups_;
  std::map<std::string, ResourceCount> resources_;
};

}  // namespace baokms::supervisor
