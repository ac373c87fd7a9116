#include "common/base/users.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <grp.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "common/base/error.h"

namespace baokms {
namespace {

constexpr std::uint32_t kChangeUser = 1U << CAP_SETUID | 1U << CAP_SETGID;

// Capabilities 0 to 31 and 32 to 63 (capget(2)).
using CapabilitySets = std::array<__user_cap_data_struct, 2>;

__user_cap_header_struct ThisProcess() {
  return {.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
}

Status SetCapabilities(std::uint32_t permitted, std::uint32_t inheritable) {
  __user_cap_header_struct header = ThisProcess();
  CapabilitySets sets{};
  sets[0] = {.effective = permitted, .permitted = permitted, .inheritable = inheritable};
  if (::syscall(SYS_capset, &header, sets.data()) != 0) {
    return Error(ErrorCode::kSystem, "capset", errno);
  }
  return {};
}

Status ClearAmbient() {
  return CheckSyscall(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0),
                      "prctl(PR_CAP_AMBIENT_CLEAR_ALL)");
}

}  // namespace

Status SetGroups(std::span<const gid_t> groups) {
  return CheckSyscall(::setgroups(groups.size(), groups.empty() ? nullptr : groups.data()),
                      "setgroups");
}

Status BecomeUser(const UserIds& user) {
  BAOKMS_TRY(CheckSyscall(::setresgid(user.gid, user.gid, user.gid), "setresgid"));
  return CheckSyscall(::setresuid(user.uid, user.uid, user.uid), "setresuid");
}

Result<bool> HasUserCapabilities() {
  __user_cap_header_struct header = ThisProcess();
  CapabilitySets sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) {
    return Error(ErrorCode::kSystem, "capget", errno);
  }
  return (sets[0].permitted & kChangeUser) == kChangeUser;
}

Status KeepUserCapabilities(Heritage heritage) {
  BAOKMS_TRY(ClearAmbient());
  const bool inherited = heritage == Heritage::kForPrograms;
  BAOKMS_TRY(SetCapabilities(kChangeUser, inherited ? kChangeUser : 0));
  if (inherited) {
    for (const auto capability : {1UL * CAP_SETUID, 1UL * CAP_SETGID}) {
      BAOKMS_TRY(CheckSyscall(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0),
                              "prctl(PR_CAP_AMBIENT_RAISE)"));
    }
  }
  return {};
}

Status BecomeUserWithCapabilities(const UserIds& user) {
  BAOKMS_TRY(CheckSyscall(::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "prctl(PR_SET_KEEPCAPS)"));
  BAOKMS_TRY(BecomeUser(user));
  BAOKMS_TRY(CheckSyscall(::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0), "prctl(PR_SET_KEEPCAPS)"));
  return KeepUserCapabilities(Heritage::kNone);
}

Status ClearCapabilities() {
  BAOKMS_TRY(ClearAmbient());
  return SetCapabilities(0, 0);
}

Status DropCapabilities() {
  // Without CAP_SETPCAP every attempt fails.
  for (unsigned long capability = 0; ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0;
       ++capability) {
  }
  return ClearCapabilities();
}

}  // namespace baokms
