// Which Transit versions the objects in etcd still need, and whether older ones can be retired: the
// logic of verify-rotation --scan-etcd. Pure functions.

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
  std::uint64_t objects = 0;    // all objects that were read
  std::uint64_t own = 0;        // encrypted by this provider
  std::uint64_t plain = 0;      // not encrypted at all
  std::vector<FactRow> groups;  // one for each distinct StoredValue
  std::vector<FactRow> mixed;   // kinds of objects that are stored both encrypted and unencrypted
  std::vector<std::int64_t>
      needed;  // versions that objects were encrypted with, and the active one
  // The highest min_decryption_version at which every counted object stays readable; 0: unknown.
  std::int64_t safe_minimum = 0;
  // Why min_decryption_version must not be raised to the active version; empty: it may be raised.
  std::string obstacle;
};

// Interprets `inventory` with this node's registry. Objects of this key that the registry does not
// know, or no longer decrypts, are obstacles: nothing is reported as safe because it was not
// understood.
VersionNeeds CheckVersionNeeds(const EtcdInventory& inventory,
                               const contract::RegistryState& state,
                               const contract::TransitKeyMetadata& metadata);

}  // namespace baokms::supervisor
