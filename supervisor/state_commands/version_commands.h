// retire-versions and restore-versions: take key versions out of this node's registry, and put them
// back (docs/contract.md#operator-commands). OpenBao and etcd are never changed.

#pragma once

#include <cstdint>
#include <vector>

#include "supervisor/state_commands/command_host.h"
#include "supervisor/state_commands/command_result.h"

namespace baokms::supervisor {

struct RetireOptions {
  std::int64_t before_version = 0;  // above 1
  ReviewedHash reviewed{};          // of the registry as it is
};

CommandResult RunRetireVersions(const CommandHost& host, const RetireOptions& options);

struct RestoreOptions {
  std::vector<std::int64_t> versions;  // positive, each once
  ReviewedHash reviewed{};
};

CommandResult RunRestoreVersions(const CommandHost& host, const RestoreOptions& options);

}  // namespace baokms::supervisor
