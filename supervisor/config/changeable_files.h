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

// Returns the keys of those among the configuration file ("--config"), the CA bundles and the
// PKCS#11 module that belong to one of `users`, or that are in a directory of such a user, on a
// file system that is not mounted read-only. What cannot be inspected, or was not configured, is
// left out.
std::vector<std::string_view> ChangeableFiles(const Config& config,
                                              const std::string& config_path,
                                              const std::set<uid_t>& users);

}  // namespace baokms::supervisor
