#include "supervisor/serve/sandbox.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sched.h>
#include <seccomp.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace baokms::supervisor {
namespace {

constexpr DangerousGrant kConnectToEndpoints("ADR-0011");
constexpr DangerousGrant kWriteRegistry("ADR-0011");

// ADR-0009 for the socket; without capabilities a process can change a file's group only to one of
// its own groups, and never its owner.
constexpr DangerousGrant kBindKmsSocket("ADR-0009");

// For a reload, which checks the configuration's paths again (common/base/safe_path.h). Only the
// text of a link is read: the walk decides whether to follow it, and openat2(2), which could follow
// it without reading it, would not show who owns the links on the way.
constexpr DangerousGrant kReadLinksForReload("ADR-0011");

Status AllowBindingKmsSocket(SeccompPolicy& policy) {
  constexpr std::uint64_t kSameOwner = 0xffffffff;  // uid_t -1 (chown(2))
  BAOKMS_TRY(
      policy.AllowIf(SCMP_SYS(socket), {ArgumentIs(0, AF_UNIX), SocketTypeIs(1, SOCK_STREAM)}));
  BAOKMS_TRY(policy.Allow({SCMP_SYS(bind), SCMP_SYS(listen)}, kBindKmsSocket));
  return policy.AllowIf(SCMP_SYS(lchown), {ArgumentHas(1, kSameOwner)});
}

Status AllowNetwork(SeccompPolicy& policy) {
  BAOKMS_TRY(policy.AllowSocketNames());
  BAOKMS_TRY(policy.AllowBrokeredSocketOptions());
  // For clients that connect, and for connections to OpenBao and its name servers.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(accept4), SCMP_SYS(shutdown)}));
  BAOKMS_TRY(policy.Allow({SCMP_SYS(connect)}, kConnectToEndpoints));
  BAOKMS_TRY(policy.AllowTcpAndUdp());
  BAOKMS_TRY(policy.AllowReadingOptions({{SOL_SOCKET, SO_PEERCRED}, {SOL_SOCKET, SO_PEERGROUPS}}));
  BAOKMS_TRY(
      policy.AllowSettingOptions({{SOL_SOCKET, SO_KEEPALIVE}, {IPPROTO_TCP, TCP_USER_TIMEOUT}}));
  // gRPC sets these on a connection to etcd, and reads what it set; it reads how much is left to be
  // received from any socket.
  BAOKMS_TRY(policy.AllowReadingOptions(
      {{SOL_SOCKET, SO_REUSEADDR}, {IPPROTO_TCP, TCP_NODELAY}, {IPPROTO_TCP, TCP_USER_TIMEOUT}}));
  return policy.AllowSettingOptions(
      {{SOL_SOCKET, SO_REUSEADDR}, {IPPROTO_TCP, TCP_INQ}, {IPPROTO_IPV6, IPV6_V6ONLY}});
}

}  // namespace

Result<SeccompPolicy> BuildSupervisorPolicy(ListenerRights rights, pid_t own_pid) {
  SeccompPolicy policy = BAOKMS_TRY(SeccompPolicy::CreateForSupervisor());
  BAOKMS_TRY(policy.AllowOpenTransfers());
  BAOKMS_TRY(AllowNetwork(policy));
  BAOKMS_TRY(policy.AllowMemory());
  BAOKMS_TRY(policy.AllowWaiting());
  BAOKMS_TRY(policy.AllowEntropy());
  BAOKMS_TRY(policy.AllowExit());
  BAOKMS_TRY(policy.AllowSocketPairs(SOCK_SEQPACKET));  // a new child's channel
  // For the registry, which is written to a new file, synced and renamed, and for the KMS socket,
  // which is removed at the end. Also for /etc/hosts, resolv.conf and the children's /proc files,
  // which are read repeatedly.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(openat), SCMP_SYS(renameat), SCMP_SYS(unlink),
                           SCMP_SYS(unlinkat), SCMP_SYS(fchmod)},
                          kWriteRegistry));
  BAOKMS_TRY(policy.Allow({SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(lseek),
                           SCMP_SYS(pread64), SCMP_SYS(fsync)}));
  BAOKMS_TRY(policy.Allow({SCMP_SYS(readlinkat)}, kReadLinksForReload));
  // For how the spawner ended.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(wait4)}));
  // For gRPC's threads; never for a process.
  BAOKMS_TRY(policy.AllowIf(SCMP_SYS(clone), {ArgumentHas(0, CLONE_THREAD)}));
  BAOKMS_TRY(
      policy.AllowIf(SCMP_SYS(prctl), {ArgumentIs(0, PR_SET_NAME)}));  // each thread's own name
  BAOKMS_TRY(policy.Allow({SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_getaffinity),
                           SCMP_SYS(sched_getparam), SCMP_SYS(sched_getscheduler)}));
  // For gRPC's pollsets, and for what libraries query about the machine and the process.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(eventfd2), SCMP_SYS(epoll_create1), SCMP_SYS(uname),
                           SCMP_SYS(sysinfo), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid),
                           SCMP_SYS(getegid), SCMP_SYS(getrusage)}));
  BAOKMS_TRY(
      policy.AllowIf(SCMP_SYS(prlimit64), {ArgumentIs(2, 0)}));  // reading a limit, not setting one
  // For abort(), which also ends the process after a failed check.
  BAOKMS_TRY(policy.AllowIf(SCMP_SYS(tgkill), {ArgumentIs(0, static_cast<std::uint64_t>(own_pid)),
                                               ArgumentIs(2, SIGABRT)}));
  BAOKMS_TRY(policy.Allow({SCMP_SYS(rt_sigaction)}));
  if (rights == ListenerRights::kBindKmsSocket) {
    BAOKMS_TRY(AllowBindingKmsSocket(policy));
  }
  return policy;
}

Status EnterSupervisorSandbox(ListenerRights rights) {
  SeccompPolicy policy = BAOKMS_TRY(BuildSupervisorPolicy(rights, ::getpid()));
  BAOKMS_TRY(policy.Install());
  if (::syscall(kRefusedToSupervisor, -1L) != -1 || errno != EPERM) {  // nothing else makes it fail
    return Error(ErrorCode::kFailedPrecondition, "the system call filter is not in force");
  }
  return {};
}

}  // namespace baokms::supervisor
