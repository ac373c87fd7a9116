// The users of the configuration, as this host knows them.

#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/users.h"
#include "supervisor/config/config.h"

namespace baokms::supervisor {

struct KnownUser {
  UserIds ids;
  std::vector<gid_t> groups;  // supplementary, without that of `ids`
};

// Looks up a user by its name, with the groups of the user database, or takes the numbers of
// "uid:gid", which has none. kNotFound: no user of this host has the name.
Result<KnownUser> LookUpUser(const std::string& text);

// The same for an id. kNotFound: it is nobody's.
Result<KnownUser> LookUpUser(uid_t uid);

// Returns the user that the supervisor runs as: that of this process, or, if it is root's and may
// change its user, isolation.supervisorUser, or the owner of the directory of state.path. Fails as
// LookUpUser().
Result<UserIds> SupervisorUser(const Config& config);

}  // namespace baokms::supervisor
