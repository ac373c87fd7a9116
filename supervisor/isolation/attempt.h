// Tries what a process of the provider could do with its user alone: whatever code in it attempted,
// the kernel would judge it by these ids.

#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace baokms::supervisor {

// The user of a process, without capabilities.
struct AttemptUser {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups{};
};

// Opens each of `paths` for reading as this user, in a process of its own. Returns for each 0 or
// the errno of the failure; nothing if this process may not become that user.
std::optional<std::vector<int>> TryToRead(const AttemptUser& user,
                                          const std::vector<std::string>& paths);

}  // namespace baokms::supervisor
