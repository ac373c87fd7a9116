#include "supervisor/spawner/sandbox.h"

#include <sys/socket.h>
#include <fcntl.h>
#include <seccomp.h>

#include <cerrno>
#include <cstdint>
#include <optional>

#include "common/base/secret_pages.h"

namespace baokms::supervisor {
namespace {

constexpr DangerousGrant kStartTwoPrograms("ADR-0004");
constexpr DangerousGrant kLoadProgramCode("ADR-0004");
constexpr DangerousGrant kEndChildren("ADR-0011");
constexpr DangerousGrant kChildConfinesItself("ADR-0011");
constexpr DangerousGrant kModuleChangesFiles("ADR-0011");
constexpr DangerousGrant kModuleConnects("ADR-0011");
constexpr DangerousGrant kDropCapabilities("ADR-0014");
constexpr DangerousGrant kReserveSecretPages("ADR-0016");

// A file of memfd_secret(2) is empty until it gets its size.
Status AllowSizeOfSecretPages(SeccompPolicy& policy) {
  return policy.AllowIf(SCMP_SYS(ftruncate), {ArgumentIs(1, kReservedSecretBytes)});
}

// Reading only, never creating: for the loader's libraries and a child's own /proc files.
Status AllowChildFiles(SeccompPolicy& policy, const std::optional<ipc::ModuleAccess>& module) {
  if (!module) {
    BAOKMS_TRY(AllowSizeOfSecretPages(policy));
    return policy.AllowOpenToRead();
  }
  // For what a PKCS#11 module does with its files.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(statx), SCMP_SYS(getdents64)}));
  if (!module->state_directory().empty()) {
    return policy.AllowChangingFiles(kModuleChangesFiles);
  }
  // The module continues to work after EACCES; the agent's own filter decides about everything
  // else.
  BAOKMS_TRY(AllowSizeOfSecretPages(policy));
  BAOKMS_TRY(policy.RefuseUnless(SCMP_SYS(ftruncate), 1, kReservedSecretBytes, EACCES));
  return policy.AllowOpenToReadElseRefuse();
}

// No child may open a socket, unless it has a PKCS#11 module that is configured to use one.
Status AllowChildSockets(SeccompPolicy& policy, const std::optional<ipc::ModuleAccess>& module) {
  switch (module ? module->network() : ipc::ModuleAccess::NETWORK_NONE) {
    case ipc::ModuleAccess::NETWORK_UNIX:
      return policy.AllowLocalSockets(kModuleConnects);
    case ipc::ModuleAccess::NETWORK_INET:
      return policy.AllowInternetSockets(kModuleConnects);
    default:
      break;
  }
  BAOKMS_TRY(policy.Refuse({SCMP_SYS(socket)}, EACCES));
  // libcurl calls connect(2) on the connected descriptor it was given (libcurl issue 10626).
  return policy.Refuse({SCMP_SYS(connect)}, 0);
}

// An id has 32 bits; the kernel ignores what else is in the register.
constexpr ArgumentCondition IdIs(unsigned index, std::uint64_t value) {
  return {.index = index, .mask = 0xffffffff, .value = value};
}

Status AllowBecoming(SeccompPolicy& policy, const ipc::UserSetup& user) {
  BAOKMS_TRY(policy.AllowIf(SCMP_SYS(setresgid),
                            {IdIs(0, user.gid()), IdIs(1, user.gid()), IdIs(2, user.gid())}));
  return policy.AllowIf(SCMP_SYS(setresuid),
                        {IdIs(0, user.uid()), IdIs(1, user.uid()), IdIs(2, user.uid())});
}

// A child becomes its user between fork and exec, and so does the process that kills it.
Status AllowUsers(SeccompPolicy& policy, const ipc::SeparateUsers& users) {
  for (const ipc::UserSetup& worker : users.workers()) {
    BAOKMS_TRY(AllowBecoming(policy, worker));
  }
  BAOKMS_TRY(AllowBecoming(policy, users.agent()));
  BAOKMS_TRY(policy.AllowIf(SCMP_SYS(setgroups), {IdIs(0, 0)}));
  BAOKMS_TRY(policy.AllowSettingOptions({{SOL_SOCKET, SO_PASSCRED}}));  // the agent's channels
  BAOKMS_TRY(policy.Allow({SCMP_SYS(capget)}));  // cap_init(3) asks the kernel for its version
  return policy.Allow({SCMP_SYS(capset)}, kDropCapabilities);  // adds none (capset(2))
}

}  // namespace

Result<SeccompPolicy> BuildSpawnerPolicy(const ipc::SpawnerSetup& setup) {
  const std::optional<ipc::ModuleAccess> module =
      setup.has_module() ? std::optional(setup.module()) : std::nullopt;
  SeccompPolicy policy = BAOKMS_TRY(SeccompPolicy::CreateForChild());
  BAOKMS_TRY(policy.KillDangerous());
  BAOKMS_TRY(policy.AllowOpenTransfers());
  BAOKMS_TRY(policy.AllowSocketNames());
  BAOKMS_TRY(policy.AllowBrokeredSocketOptions());
  BAOKMS_TRY(policy.AllowMemory());
  BAOKMS_TRY(policy.AllowWaiting());
  BAOKMS_TRY(policy.AllowEntropy());
  BAOKMS_TRY(policy.AllowExit());
  BAOKMS_TRY(policy.AllowOwnTimers());
  BAOKMS_TRY(policy.AllowStartingPrograms(kStartTwoPrograms));
  BAOKMS_TRY(policy.AllowExecutableMemory(kLoadProgramCode));
  // For fork and exec: moving descriptors to their fixed numbers, closing the rest, default
  // signals.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(dup3), SCMP_SYS(close_range), SCMP_SYS(rt_sigaction)}));
  BAOKMS_TRY(policy.Allow({SCMP_SYS(kill)}, kEndChildren));
  BAOKMS_TRY(AllowChildFiles(policy, module));
  // For the loader and the C library of a child before its main().
  BAOKMS_TRY(
      policy.Allow({SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(pread64), SCMP_SYS(lseek),
                    SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
                    SCMP_SYS(arch_prctl), SCMP_SYS(set_tid_address), SCMP_SYS(set_robust_list),
                    SCMP_SYS(rseq), SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(sched_getaffinity),
                    SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid)}));
  // For what a child does to confine itself before it installs its own filter.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(prctl), SCMP_SYS(prlimit64)}, kChildConfinesItself));
  BAOKMS_TRY(policy.Allow({SCMP_SYS(memfd_secret)}, kReserveSecretPages));
  BAOKMS_TRY(policy.Allow({SCMP_SYS(landlock_create_ruleset), SCMP_SYS(landlock_add_rule),
                           SCMP_SYS(landlock_restrict_self)}));
  BAOKMS_TRY(policy.Allow(
      {SCMP_SYS(seccomp), SCMP_SYS(epoll_create1), SCMP_SYS(eventfd2), SCMP_SYS(timer_create)}));
  BAOKMS_TRY(policy.AllowFcntl({F_GET_SEALS}));         // a child checks that its set-up is sealed
  BAOKMS_TRY(policy.AllowSocketPairs(SOCK_SEQPACKET));  // channels
  BAOKMS_TRY(policy.AllowSocketPairs(SOCK_STREAM));     // libcurl 7.88 wakes its poll(2) with one
  BAOKMS_TRY(AllowChildSockets(policy, module));
  if (setup.has_users()) {
    BAOKMS_TRY(AllowUsers(policy, setup.users()));
  }
  return policy;
}

}  // namespace baokms::supervisor
