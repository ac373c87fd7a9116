#include "supervisor/spawner/sandbox.h"

#include <sys/socket.h>
#include <seccomp.h>

#include <cerrno>
#include <optional>

#include "common/base/result.h"
#include "common/base/seccomp_policy.h"
#include "proto/setup.pb.h"

namespace baokms::supervisor {
namespace {

// Reading only, never creating: the loader's libraries and a child's own /proc files.
Status AllowChildFiles(SeccompPolicy& policy, const std::optional<ipc::ModuleAccess>& module) {
  if (!module) {
    return policy.AllowOpenToRead();
  }
  // What a PKCS#11 module does with its files.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(statx), SCMP_SYS(getdents64)}));
  if (module->writes_files()) {
    // Where it may write is the agent's to say, by Landlock.
    BAOKMS_TRY(policy.Allow({SCMP_SYS(landlock_create_ruleset), SCMP_SYS(landlock_add_rule),
                             SCMP_SYS(landlock_restrict_self)}));
    return policy.AllowChangingFiles();
  }
  // The module lives on when it is told EACCES; the agent's own filter decides for everything else.
  return policy.AllowOpenToReadElseRefuse();
}

// No child opens a socket, unless it has a PKCS#11 module that is configured to.
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
  // libcurl calls connect() on the connected descriptor it was given (its issue 10626).
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
  // Fork and exec: descriptors to their fixed numbers, the rest closed, signals as at a shell.
  BAOKMS_TRY(policy.Allow(
      {SCMP_SYS(dup3), SCMP_SYS(close_range), SCMP_SYS(kill), SCMP_SYS(rt_sigaction)}));
  BAOKMS_TRY(AllowChildFiles(policy, module));
  // The loader and libc of a child before its main().
  BAOKMS_TRY(policy.Allow(
      {SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(pread64), SCMP_SYS(lseek), SCMP_SYS(access),
       SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(arch_prctl), SCMP_SYS(set_tid_address),
       SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(prlimit64), SCMP_SYS(uname),
       SCMP_SYS(sysinfo), SCMP_SYS(sched_getaffinity), SCMP_SYS(getuid), SCMP_SYS(geteuid),
       SCMP_SYS(getgid), SCMP_SYS(getegid)}));
  // What a child does to itself before its own filter.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(prctl), SCMP_SYS(seccomp), SCMP_SYS(epoll_create1),
                           SCMP_SYS(eventfd2), SCMP_SYS(timer_create)}));
  // libcurl makes a pair to wake its poll; no other family gives a socket below this filter.
  BAOKMS_TRY(policy.AllowWhen(SCMP_SYS(socketpair), 0, AF_UNIX));
  BAOKMS_TRY(AllowChildSockets(policy, module));
  return policy;
}

}  // namespace baokms::supervisor
