#include "common/base/users.h"

#include <sys/capability.h>
#include <sys/prctl.h>
#include <grp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <type_traits>

#include "common/base/deleter.h"
#include "common/base/error.h"

namespace baokms {
namespace {

using CapabilitySets = std::unique_ptr<std::remove_pointer_t<cap_t>, Deleter<cap_free>>;

constexpr std::array<cap_value_t, 2> kChangeUser = {CAP_SETUID, CAP_SETGID};

Status Fill(const CapabilitySets& sets, cap_flag_t flag) {
  return CheckSyscall(
      ::cap_set_flag(sets.get(), flag, kChangeUser.size(), kChangeUser.data(), CAP_SET),
      "cap_set_flag");
}

Result<CapabilitySets> NoCapabilities() {
  CapabilitySets sets(::cap_init());
  if (sets == nullptr) {
    return Error(ErrorCode::kSystem, "cap_init", errno);
  }
  return sets;
}

Status Apply(const CapabilitySets& sets) {
  return CheckSyscall(::cap_set_proc(sets.get()), "cap_set_proc");
}

Status ClearAmbient() {
  return CheckSyscall(::cap_reset_ambient(), "cap_reset_ambient");
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
  const CapabilitySets sets(::cap_get_proc());
  if (sets == nullptr) {
    return Error(ErrorCode::kSystem, "cap_get_proc", errno);
  }
  for (const cap_value_t capability : kChangeUser) {
    cap_flag_value_t permitted = CAP_CLEAR;
    BAOKMS_TRY(CheckSyscall(::cap_get_flag(sets.get(), capability, CAP_PERMITTED, &permitted),
                            "cap_get_flag"));
    if (permitted != CAP_SET) {
      return false;
    }
  }
  return true;
}

Status KeepUserCapabilities(Heritage heritage) {
  BAOKMS_TRY(ClearAmbient());
  const CapabilitySets sets = BAOKMS_TRY(NoCapabilities());
  BAOKMS_TRY(Fill(sets, CAP_PERMITTED));
  BAOKMS_TRY(Fill(sets, CAP_EFFECTIVE));
  if (heritage == Heritage::kNone) {
    return Apply(sets);
  }
  BAOKMS_TRY(Fill(sets, CAP_INHERITABLE));
  BAOKMS_TRY(Apply(sets));
  for (const cap_value_t capability : kChangeUser) {
    BAOKMS_TRY(CheckSyscall(::cap_set_ambient(capability, CAP_SET), "cap_set_ambient"));
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
  return Apply(BAOKMS_TRY(NoCapabilities()));
}

Status DropCapabilities() {
  // Without CAP_SETPCAP every attempt fails.
  for (cap_value_t capability = 0; CAP_IS_SUPPORTED(capability); ++capability) {
    (void)::cap_drop_bound(capability);
  }
  return ClearCapabilities();
}

}  // namespace baokms
