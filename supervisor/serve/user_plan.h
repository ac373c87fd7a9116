// Which users the processes run as, decided before anything else is done with the privileges that
// this process was started with (docs/security.md).

#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common/base/users.h"
#include "supervisor/config/config.h"
#include "supervisor/serve/start_failure.h"

namespace baokms::supervisor {

// The users of the children, none of which is root's or the supervisor's.
struct ChildUsers {
  std::vector<UserIds> workers;  // by slot
  UserIds agent;
  std::vector<gid_t> agent_groups;  // supplementary, without the agent's own
};

struct UserPlan {
  // The user to change to, if this process is root's and may change its user.
  std::optional<UserIds> supervisor{};
  std::vector<gid_t> supervisor_groups{};  // supplementary
  // Nothing if all processes run as one user.
  std::optional<ChildUsers> children{};
  // Why they do: "off", "no_capability" or "cannot_change_user".
  const char* why_single = "";
};

// Looks up the configured users and tries once whether a process may become one of them. Exit code
// 3: a user does not exist, is root's or that of another role, or isolation.separateUsers is
// `require` and the privileges do not suffice.
Started<UserPlan> PlanUsers(const Config& config);

// Changes to the supervisor's user and drops every capability, except for CAP_SETUID and
// CAP_SETGID if there are users for the children: the spawner inherits these two. The process must
// harden itself before and after.
Status EnterPlan(const UserPlan& plan);

}  // namespace baokms::supervisor
