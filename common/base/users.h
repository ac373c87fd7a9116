// The user and the capabilities of this process (credentials(7), capabilities(7)). Everything here
// concerns the calling thread: call it while it is the only one.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>

#include "common/base/result.h"

namespace baokms {

struct UserIds {
  uid_t uid = 0;
  gid_t gid = 0;
  friend bool operator==(const UserIds&, const UserIds&) = default;
};

// Replaces the supplementary groups (setgroups(2)).
Status SetGroups(std::span<const gid_t> groups);

// Changes the real, effective and saved ids (setresgid(2), setresuid(2)). The process can be dumped
// no more and no less than /proc/sys/fs/suid_dumpable says.
Status BecomeUser(const UserIds& user);

// Returns whether this process has CAP_SETUID and CAP_SETGID.
Result<bool> HasUserCapabilities();

// Whether a program that this process executes has its capabilities as well.
enum class Heritage : std::uint8_t { kForPrograms, kNone };

// Drops every capability but CAP_SETUID and CAP_SETGID, which must be permitted, and makes these
// two effective.
Status KeepUserCapabilities(Heritage heritage);

// Changes the user like BecomeUser(), and keeps CAP_SETUID and CAP_SETGID.
Status BecomeUserWithCapabilities(const UserIds& user);

// Empties every set but the bounding set, which adds nothing to the others with no_new_privs.
Status ClearCapabilities();

// The same, and empties the bounding set if CAP_SETPCAP allows it.
Status DropCapabilities();

}  // namespace baokms
