#include "supervisor/serve/user_plan.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <utility>

#include "common/base/error.h"
#include "supervisor/config/users.h"

namespace baokms::supervisor {
namespace {

// NGROUPS_MAX of the kernel is 65536; this process has a handful.
constexpr std::size_t kMaxOwnGroups = 1024;

StartFailure Refusal(const std::string& key, const std::string& why) {
  return {.exit_code = kConfigurationFailed, .line = key + ": " + why};
}

Started<KnownUser> Resolve(const std::string& key, const std::string& text) {
  Result<KnownUser> known = LookUpUser(text);
  if (!known) {
    return Refusal(key, "the user " + text +
                            " does not exist on this host; create it, or set "
                            "isolation.separateUsers to off");
  }
  return std::move(known).value();
}

// The groups of the database, and those that a container or a unit gave to this process: of the
// KMS socket, for example. Root's own is not among them.
std::vector<gid_t> GroupsOfSupervisor(const UserIds& user) {
  std::vector<gid_t> groups(kMaxOwnGroups);
  const int count = ::getgroups(static_cast<int>(kMaxOwnGroups), groups.data());
  groups.resize(static_cast<std::size_t>(std::max(count, 0)));
  if (const auto known = LookUpUser(user.uid)) {
    groups.insert(groups.end(), known->groups.begin(), known->groups.end());
  }
  std::erase(groups, gid_t{0});
  return groups;
}

Started<> PlanSupervisor(const Config& config, UserPlan& plan) {
  const Result<UserIds> user = SupervisorUser(config);
  if (!user) {
    return Resolve("isolation.supervisorUser", config.isolation.supervisor_user).error();
  }
  if (user->uid != ::geteuid()) {
    plan.supervisor = *user;
    plan.supervisor_groups = GroupsOfSupervisor(*user);
  }
  return {};
}

const char* KeyOfWorkers(const IsolationConfig& isolation) {
  return isolation.worker_users.empty() ? "isolation.workerUser" : "isolation.workerUsers";
}

Started<> RequireDifferent(const IsolationConfig& isolation,
                           const ChildUsers& users,
                           uid_t supervisor) {
  const auto is_taken = [&](uid_t uid) {
    return uid == 0 || uid == supervisor;
  };
  // `auto` goes on, because separate children are better than none; `isolation` warns.
  if (supervisor == 0 && isolation.separate_users == SeparateUsers::kRequire) {
    return Refusal("isolation.supervisorUser",
                   "must not be root; set it, or give the directory of state.path to the user of "
                   "the service");
  }
  if (is_taken(users.agent.uid)) {
    return Refusal("isolation.authAgentUser", "must not be root or the user of the supervisor");
  }
  for (const UserIds& worker : users.workers) {
    if (is_taken(worker.uid) || worker.uid == users.agent.uid) {
      return Refusal(KeyOfWorkers(isolation),
                     "must not be root or the user of the supervisor or of the auth agent");
    }
  }
  return {};
}

Started<ChildUsers> ResolveChildren(const IsolationConfig& isolation) {
  KnownUser agent = BAOKMS_TRY(Resolve("isolation.authAgentUser", isolation.auth_agent_user));
  ChildUsers users{.workers = {}, .agent = agent.ids, .agent_groups = std::move(agent.groups)};
  const std::vector<std::string> names =
      isolation.worker_users.empty()
          ? std::vector(static_cast<std::size_t>(isolation.workers), isolation.worker_user)
          : isolation.worker_users;
  for (const std::string& name : names) {
    users.workers.push_back((BAOKMS_TRY(Resolve(KeyOfWorkers(isolation), name))).ids);
  }
  return users;
}

// A user namespace that does not have the ids, or a filter, can make it impossible in spite of the
// capabilities.
bool CanBecome(const UserIds& user) {
  const pid_t trial = ::fork();
  if (trial == 0) {
    ::_exit(SetGroups({}) && BecomeUser(user) ? 0 : 1);
  }
  int status = 1;
  while (trial > 0 && ::waitpid(trial, &status, 0) < 0 && errno == EINTR) {
  }
  return trial > 0 && status == 0;
}

Started<UserPlan> SingleUser(UserPlan plan, const Config& config, const char* why) {
  if (config.isolation.separate_users == SeparateUsers::kRequire) {
    return Refusal("isolation.separateUsers",
                   "is require, but this process cannot change its user: start it with the "
                   "capabilities CAP_SETUID and CAP_SETGID");
  }
  plan.why_single = why;
  return plan;
}

}  // namespace

Started<UserPlan> PlanUsers(const Config& config) {
  UserPlan plan;
  const bool capable = BAOKMS_TRY(Step("read the capabilities", HasUserCapabilities()));
  if (capable) {
    BAOKMS_TRY(PlanSupervisor(config, plan));
  }
  if (config.isolation.separate_users == SeparateUsers::kOff) {
    return SingleUser(std::move(plan), config, "off");
  }
  if (!capable) {
    return SingleUser(std::move(plan), config, "no_capability");
  }
  ChildUsers users = BAOKMS_TRY(ResolveChildren(config.isolation));
  BAOKMS_TRY(RequireDifferent(config.isolation, users,
                              plan.supervisor ? plan.supervisor->uid : ::geteuid()));
  if (!CanBecome(users.agent) || !std::ranges::all_of(users.workers, CanBecome)) {
    return SingleUser(std::move(plan), config, "cannot_change_user");
  }
  plan.children = std::move(users);
  return plan;
}

Status EnterPlan(const UserPlan& plan) {
  if (plan.supervisor) {
    BAOKMS_TRY(SetGroups(plan.supervisor_groups));
    BAOKMS_TRY(BecomeUserWithCapabilities(*plan.supervisor));
  }
  return plan.children ? KeepUserCapabilities(Heritage::kForPrograms) : DropCapabilities();
}

}  // namespace baokms::supervisor
