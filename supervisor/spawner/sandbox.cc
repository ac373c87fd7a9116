#include "supervisor/spawner/sandbox.h"

#include <sys/socket.h>
#include <seccomp.h>

#include <cerrno>

namespace baokms::supervisor {
namespace {

// Reading only, never creating: for the loader's libraries and a child's own /proc files.
Status AllowChildFiles(SeccompPolicy& policy, const std::optional<ipc::ModuleAccess>& module) {
  if (!module) {
    return policy.AllowOpenToRead();
  }
  // For what a PKCS#11 module does with its files.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(statx), SCMP_SYS(getdents64)}));
  if (!module->state_directory().empty()) {
    // The agent restricts with Landlock where the module may write.
    BAOKMS_TRY(policy.Allow({SCMP_SYS(landlock_create_ruleset), SCMP_SYS(landlock_add_rule),
                             SCMP_SYS(landlock_restrict_self)}));
    return policy.AllowChangingFiles();
  }
  // The module continues to work after EACCES; the agent's own filter decides about everything
  // else.
  return policy.AllowOpenToReadElseRefuse();
}

// No child may open a socket, unless it has a PKCS#11 module that is configured to use one.
Status AllowChildSockets(SeccompPolicy& policy, const std::optional<ipc::ModuleAccess>& module) {
  switch (module ? module->network() : ipc::ModuleAccess::NETWORK_NONE) {
    case ipc::ModuleAccess::NETWORK_UNIX:
      return policy.AllowLocalSockets();
    case ipc::ModuleAccess::NETWORK_INET:
      return policy.AllowInternetSockets();
    default:
      break;
  }
  BAOKMS_TRY(policy.Refuse({SCMP_SYS(socket)}, EACCES));
  // libcurl calls connect(2) on the connected descriptor it was given (libcurl issue 10626).
  return policy.Refuse({SCMP_SYS(connect)}, 0);
}

}  // namespace

Result<SeccompPolicy> BuildSpawnerPolicy(const std::optional<ipc::ModuleAccess>& module) {
  SeccompPolicy policy = BAOKMS_TRY(SeccompPolicy::CreateForChild());
  BAOKMS_TRY(policy.KillDangerous());
  BAOKMS_TRY(policy.AllowOpenTransfers());
  BAOKMS_TRY(policy.AllowSocketTuning());
  BAOKMS_TRY(policy.AllowMemory());
  BAOKMS_TRY(policy.AllowWaiting());
  BAOKMS_TRY(policy.AllowEntropy());
  BAOKMS_TRY(policy.AllowExit());
  BAOKMS_TRY(policy.AllowOwnTimers());
  BAOKMS_TRY(policy.AllowStartingPrograms({"starting the two child programs is its job"}));
  BAOKMS_TRY(policy.AllowExecutableMemory({"the dynamic loader of a child maps code"}));
  // For fork and exec: moving descriptors to their fixed numbers, closing the rest, default
  // signals.
  BAOKMS_TRY(policy.Allow(
      {SCMP_SYS(dup3), SCMP_SYS(close_range), SCMP_SYS(kill), SCMP_SYS(rt_sigaction)}));
  BAOKMS_TRY(AllowChildFiles(policy, module));
  // For the loader and the C library of a child before its main().
  BAOKMS_TRY(policy.Allow(
      {SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(pread64), SCMP_SYS(lseek), SCMP_SYS(access),
       SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(arch_prctl), SCMP_SYS(set_tid_address),
       SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(prlimit64), SCMP_SYS(uname),
       SCMP_SYS(sysinfo), SCMP_SYS(sched_getaffinity), SCMP_SYS(getuid), SCMP_SYS(geteuid),
       SCMP_SYS(getgid), SCMP_SYS(getegid)}));
  // For what a child does to confine itself before it installs its own filter.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(prctl), SCMP_SYS(seccomp), SCMP_SYS(epoll_create1),
                           SCMP_SYS(eventfd2), SCMP_SYS(timer_create)}));
  // libcurl creates a pair to wake its poll(2); pairs of other address families are refused.
  BAOKMS_TRY(policy.AllowWhen(SCMP_SYS(socketpair), 0, AF_UNIX));
  BAOKMS_TRY(AllowChildSockets(policy, module));
  return policy;
}

}  // namespace baokms::supervisor
