#include "supervisor/serve/sandbox.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sched.h>
#include <seccomp.h>

#include <csignal>
#include <cstdint>

#include "common/base/result.h"
#include "common/base/seccomp_policy.h"

namespace baokms::supervisor {
namespace {

// Without capabilities a process can give a file only to one of its own groups; it never gives away
// the owner.
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
  // Clients come in, connections to OpenBao and its name servers go out.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(accept4), SCMP_SYS(connect)}));
  BAOKMS_TRY(policy.AllowWhen(SCMP_SYS(socket), 0, AF_INET));
  BAOKMS_TRY(policy.AllowWhen(SCMP_SYS(socket), 0, AF_INET6));
  BAOKMS_TRY(policy.AllowWhen(SCMP_SYS(socketpair), 0, AF_UNIX));  // a new child's channel
  // The registry: written as a new file, synced, renamed. Also /etc/hosts, resolv.conf and the
  // children's /proc files, which are read again and again.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(openat), SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(lseek),
                           SCMP_SYS(pread64), SCMP_SYS(renameat), SCMP_SYS(unlink),
                           SCMP_SYS(unlinkat), SCMP_SYS(fsync), SCMP_SYS(fchmod)}));
  // Threads of gRPC; never a process.
  BAOKMS_TRY(policy.AllowMasked(SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD));
  BAOKMS_TRY(policy.AllowWhen(SCMP_SYS(prctl), 0, PR_SET_NAME));  // each thread's own name
  BAOKMS_TRY(policy.Allow({SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_getaffinity),
                           SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler)}));
  // gRPC's pollsets; what libraries ask about the machine and the process.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(eventfd2), SCMP_SYS(epoll_create1), SCMP_SYS(uname),
                           SCMP_SYS(sysinfo), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
                           SCMP_SYS(getegid), SCMP_SYS(getrusage)}));
  BAOKMS_TRY(policy.AllowWhen(SCMP_SYS(prlimit64), 2, 0));  // reading a limit, not setting one
  // abort(), and with it the end that a failed check asks for.
  BAOKMS_TRY(policy.AllowWhen(SCMP_SYS(tgkill), 2, SIGABRT));
  BAOKMS_TRY(policy.Allow({SCMP_SYS(rt_sigaction)}));
  if (rights == ListenerRights::kBindKmsSocket) {
    BAOKMS_TRY(AllowBindingKmsSocket(policy));
  }
  return policy;
}

}  // namespace baokms::supervisor
