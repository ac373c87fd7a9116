#include "supervisor/serve/sandbox.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sched.h>
#include <seccomp.h>

#include <csignal>

namespace baokms::supervisor {
namespace {

// For a reload, which checks the configuration's paths again (common/base/safe_path.h). Only the
// text of a link is read: the walk decides whether to follow it, and openat2(2), which could follow
// it without reading it, would not show who owns the links on the way.
constexpr int kReadLinkForReload = SCMP_SYS(readlinkat);

// Without capabilities a process can change a file's group only to one of its own groups, and never
// its owner.
Status AllowBindingKmsSocket(SeccompPolicy& policy) {
  constexpr std::uint64_t kSameOwner = 0xffffffff;  // uid_t -1 (chown(2))
  BAOKMS_TRY(policy.AllowWhen(SCMP_SYS(socket), 0, AF_UNIX));
  BAOKMS_TRY(policy.Allow({SCMP_SYS(bind), SCMP_SYS(listen)}));
  return policy.AllowMasked(SCMP_SYS(lchown), 1, kSameOwner, kSameOwner);
}

}  // namespace

Result<SeccompPolicy> BuildSupervisorPolicy(ListenerRights rights) {
  SeccompPolicy policy = BAOKMS_TRY(SeccompPolicy::CreateForSupervisor());
  BAOKMS_TRY(policy.AllowOpenTransfers());
  BAOKMS_TRY(policy.AllowSocketTuning());
  BAOKMS_TRY(policy.AllowMemory());
  BAOKMS_TRY(policy.AllowWaiting());
  BAOKMS_TRY(policy.AllowEntropy());
  BAOKMS_TRY(policy.AllowExit());
  // For clients that connect, and for connections to OpenBao and its name servers.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(accept4), SCMP_SYS(connect)}));
  BAOKMS_TRY(policy.AllowWhen(SCMP_SYS(socket), 0, AF_INET));
  BAOKMS_TRY(policy.AllowWhen(SCMP_SYS(socket), 0, AF_INET6));
  BAOKMS_TRY(policy.AllowWhen(SCMP_SYS(socketpair), 0, AF_UNIX));  // a new child's channel
  // For the registry, which is written to a new file, synced and renamed. Also for /etc/hosts,
  // resolv.conf and the children's /proc files, which are read repeatedly.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(openat), SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(lseek),
                           SCMP_SYS(pread64), SCMP_SYS(renameat), SCMP_SYS(unlink),
                           SCMP_SYS(unlinkat), SCMP_SYS(fsync), SCMP_SYS(fchmod)}));
  BAOKMS_TRY(policy.Allow({kReadLinkForReload}));
  // For gRPC's threads; never for a process.
  BAOKMS_TRY(policy.AllowMasked(SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD));
  BAOKMS_TRY(policy.AllowWhen(SCMP_SYS(prctl), 0, PR_SET_NAME));  // each thread's own name
  BAOKMS_TRY(policy.Allow({SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_getaffinity),
                           SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler)}));
  // For gRPC's pollsets, and for what libraries query about the machine and the process.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(eventfd2), SCMP_SYS(epoll_create1), SCMP_SYS(uname),
                           SCMP_SYS(sysinfo), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
                           SCMP_SYS(getegid), SCMP_SYS(getrusage)}));
  BAOKMS_TRY(policy.AllowWhen(SCMP_SYS(prlimit64), 2, 0));  // reading a limit, not setting one
  // For abort(), which also ends the process after a failed check.
  BAOKMS_TRY(policy.AllowWhen(SCMP_SYS(tgkill), 2, SIGABRT));
  BAOKMS_TRY(policy.Allow({SCMP_SYS(rt_sigaction)}));
  if (rights == ListenerRights::kBindKmsSocket) {
    BAOKMS_TRY(AllowBindingKmsSocket(policy));
  }
  return policy;
}

Status EnterSupervisorSandbox(ListenerRights rights) {
  return BAOKMS_TRY(BuildSupervisorPolicy(rights)).Install();
}

}  // namespace baokms::supervisor
