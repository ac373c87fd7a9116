#include "supervisor/serve/sandbox.h"

#include <sys/socket.h>
#include <sched.h>
#include <seccomp.h>

#include "common/base/result.h"
#include "common/base/seccomp_policy.h"

namespace baokms::supervisor {

Result<SeccompPolicy> BuildSupervisorPolicy() {
  SeccompPolicy policy = BAOKMS_TRY(SeccompPolicy::CreateForSupervisor());
  BAOKMS_TRY(policy.AllowOpenTransfers());
  BAOKMS_TRY(policy.AllowSocketTuning());
  BAOKMS_TRY(policy.AllowMemory());
  BAOKMS_TRY(policy.AllowWaiting());
  BAOKMS_TRY(policy.AllowEntropy());
  BAOKMS_TRY(policy.AllowExit());
  // Clients come in, connections to OpenBao and its name servers go out.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(connect)}));
  BAOKMS_TRY(policy.AllowWhen(SCMP_SYS(socket), 0, AF_INET));
  BAOKMS_TRY(policy.AllowWhen(SCMP_SYS(socket), 0, AF_INET6));
  BAOKMS_TRY(policy.AllowWhen(SCMP_SYS(socketpair), 0, AF_UNIX));  // a new child's channel
  // c-ares asks which local address a socket would use, and binds to none by name.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(bind), SCMP_SYS(ioctl)}));
  // The registry: written as a new file, synced, renamed. Also /etc/hosts, resolv.conf and the
  // children's /proc files, which are read again and again.
  BAOKMS_TRY(policy.Allow(
      {SCMP_SYS(openat),    SCMP_SYS(newfstatat), SCMP_SYS(fstat),      SCMP_SYS(statx),
       SCMP_SYS(lseek),     SCMP_SYS(pread64),    SCMP_SYS(pwrite64),   SCMP_SYS(renameat),
       SCMP_SYS(renameat2), SCMP_SYS(rename),     SCMP_SYS(unlink),     SCMP_SYS(unlinkat),
       SCMP_SYS(fsync),     SCMP_SYS(fdatasync),  SCMP_SYS(fchmod),     SCMP_SYS(flock),
       SCMP_SYS(ftruncate), SCMP_SYS(readlink),   SCMP_SYS(readlinkat), SCMP_SYS(access),
       SCMP_SYS(faccessat), SCMP_SYS(getdents64)}));
  // Threads of gRPC and civetweb; never a process.
  BAOKMS_TRY(policy.AllowMasked(SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD));
  BAOKMS_TRY(policy.Allow({SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_getaffinity),
                           SCMP_SYS(sched_setscheduler), SCMP_SYS(sched_getparam),
                           SCMP_SYS(sched_getscheduler), SCMP_SYS(prctl), SCMP_SYS(sigaltstack)}));
  BAOKMS_TRY(
      policy.Allow({SCMP_SYS(eventfd2), SCMP_SYS(epoll_create1), SCMP_SYS(pipe2), SCMP_SYS(dup),
                    SCMP_SYS(uname), SCMP_SYS(sysinfo), SCMP_SYS(getuid), SCMP_SYS(geteuid),
                    SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(prlimit64), SCMP_SYS(getrusage),
                    SCMP_SYS(times), SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg), SCMP_SYS(tgkill)}));
  // The spawner is waited for; signals go back to their defaults at an ordered end.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(wait4), SCMP_SYS(rt_sigaction)}));
  return policy;
}

}  // namespace baokms::supervisor
