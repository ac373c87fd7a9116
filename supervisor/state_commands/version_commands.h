// retire-versions and restore-versions: remove key versions from this node's registry, and add them
// again (docs/contract.md#operator-commands). They never change OpenBao or etcd.

#pragma once

#include <cstdint>
#include <vector>

#include "supervisor/state_commands/command_host.h"
#include "supervisor/state_commands/command_report.h"

namespace baokms::supervisor {

struct RetireOptions {
  std::int64_t before_version = 0;  // above 1
  ReviewedHash reviewed{};          // the state hash of the current registry
};

CommandResult RunRetireVersions(const CommandHost& host, const RetireOptions& options);

struct RestoreOptions {
  std::vector<std::int64_t> versions;  // positive, without duplicates
  ReviewedHash reviewed{};
};

CommandResult RunRestoreVersions(const CommandHost& host, const RestoreOptions& options);

}  // namespace baokms::supervisor
