// Which Transit versions the objects in etcd still need, and whether the older ones can be retired:
// the logic of verify-rotation --scan-etcd. Pure.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/contract/identity.h"
#include "common/contract/key_profile.h"
#include "common/contract/registry.h"
#include "supervisor/etcd/etcd_inventory.h"
#include "supervisor/state_commands/command_report.h"

namespace baokms::supervisor {

struct VersionNeeds {
  std::uint64_t objects = 0;    // everything that was read
  std::uint64_t own = 0;        // encrypted by this provider
  std::uint64_t plain = 0;      // not encrypted at all
  std::vector<FactRow> groups;  // one per way of storing
  std::vector<FactRow> mixed;   // kinds of objects that are stored both encrypted and plain
  std::vector<std::int64_t>
      needed;  // versions that objects were encrypted with, and the active one
  // The highest min_decryption_version that loses nothing that was counted; 0: none is known.
  std::int64_t safe_minimum = 0;
  // Why min_decryption_version may not be raised to the active version; empty: it may.
  std::string obstacle;
};

// Interprets `inventory` by this node's registry. Objects of this key that the registry does not
// know, or no longer decrypts, are obstacles: nothing is called safe for lack of understanding.
VersionNeeds CheckVersionNeeds(const EtcdInventory& inventory,
                               const contract::RegistryState& state,
                               const contract::TransitKeyMetadata& metadata);

}  // namespace baokms::supervisor
