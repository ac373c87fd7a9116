// Which files that decide whom a start trusts could be changed by a user of the provider, and so
// by whoever takes over one of its processes: the next start would believe what was put there.

#pragma once

#include <sys/types.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/config/config.h"

namespace baokms::supervisor {

// Returns whether the file, or a directory above it, belongs to one of `users`, on a file system
// that is not mounted read-only. False if it cannot be inspected.
[[nodiscard]] bool IsChangeable(const std::set<uid_t>& users, const std::string& path);

// Returns the keys of those among the configuration file ("--config"), the CA bundles and the
// PKCS#11 module that are configured and changeable.
std::vector<std::string_view> ChangeableFiles(const Config& config,
                                              const std::string& config_path,
                                              const std::set<uid_t>& users);

}  // namespace baokms::supervisor
