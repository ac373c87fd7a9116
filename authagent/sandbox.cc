#include "authagent/sandbox.h"

#include <sys/prctl.h>
#include <sched.h>
#include <seccomp.h>

#include <cerrno>

#include "common/base/result.h"
#include "common/base/seccomp_policy.h"
#include "proto/setup.pb.h"

namespace baokms::authagent {
namespace {

// SoftHSM writes its token at each login; told EACCES it goes on without, and a kill at that moment
// costs nothing (docs/authentication.md).
Status AllowFiles(SeccompPolicy& policy, const ipc::ModuleAccess& access) {
  // Configuration, objects of the token and their directory.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(statx),
                           SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(pread64),
                           SCMP_SYS(lseek), SCMP_SYS(access), SCMP_SYS(getdents64)}));
  return access.writes_files() ? policy.AllowChangingFiles() : policy.AllowOpenToReadElseRefuse();
}

// EACCES, not the end, for what is not allowed: modules talk to syslog when something is wrong.
Status AllowNetwork(SeccompPolicy& policy, const ipc::ModuleAccess& access) {
  switch (access.network()) {
    case ipc::ModuleAccess::NETWORK_UNIX:
      return policy.AllowLocalSockets();
    case ipc::ModuleAccess::NETWORK_INET:
      return policy.AllowInternetSockets();
    default:
      return policy.Refuse({SCMP_SYS(socket), SCMP_SYS(connect)}, EACCES);
  }
}

// What only opening the module needs: its code is mapped, its threads begin.
Status AllowLoading(SeccompPolicy& policy) {
  BAOKMS_TRY(policy.AllowExecutableMemory({"the PKCS#11 module and its libraries are mapped"}));
  BAOKMS_TRY(policy.AllowMasked(SCMP_SYS(clone), 0, CLONE_THREAD, CLONE_THREAD));
  BAOKMS_TRY(policy.AllowWhen(SCMP_SYS(prctl), 0, PR_SET_NAME));
  return policy.Allow({SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_getaffinity),
                       SCMP_SYS(eventfd2), SCMP_SYS(epoll_create1)});
}

}  // namespace

Result<SeccompPolicy> BuildPolicy() {
  SeccompPolicy policy = BAOKMS_TRY(SeccompPolicy::CreateForTalkingChild());
  // The JWT file, read at each login by a checked walk of its path: reading only, never creating.
  BAOKMS_TRY(policy.AllowOpenToRead());
  BAOKMS_TRY(policy.Allow({SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(readlinkat),
                           SCMP_SYS(pread64), SCMP_SYS(geteuid)}));
  // libcurl 7.88 calls connect() on the connected descriptor it was given (its issue 10626).
  BAOKMS_TRY(policy.Refuse({SCMP_SYS(connect)}, 0));
  return policy;
}

Status EnterSandbox() {
  SeccompPolicy policy = BAOKMS_TRY(BuildPolicy());
  return policy.Install();
}

Result<SeccompPolicy> BuildModulePolicy(const ipc::ModuleAccess& access, ModuleStage stage) {
  SeccompPolicy policy = BAOKMS_TRY(SeccompPolicy::CreateForTalkingChild());
  BAOKMS_TRY(AllowFiles(policy, access));
  BAOKMS_TRY(AllowNetwork(policy, access));
  // Vendor code asks who and where it is.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
                           SCMP_SYS(uname), SCMP_SYS(sysinfo)}));
  if (stage == ModuleStage::kLoading) {
    BAOKMS_TRY(AllowLoading(policy));
  }
  // The next filter: the second stage, then that of the loop's thread alone.
  BAOKMS_TRY(policy.AllowWhen(SCMP_SYS(prctl), 0, PR_SET_NO_NEW_PRIVS));
  BAOKMS_TRY(policy.Allow({SCMP_SYS(seccomp)}));
  return policy;
}

Status EnterLoadingSandbox(const ipc::ModuleAccess& access) {
  SeccompPolicy policy = BAOKMS_TRY(BuildModulePolicy(access, ModuleStage::kLoading));
  return policy.Install();
}

Status EnterModuleSandbox(const ipc::ModuleAccess& access) {
  SeccompPolicy module = BAOKMS_TRY(BuildModulePolicy(access, ModuleStage::kServing));
  SeccompPolicy own = BAOKMS_TRY(BuildPolicy());
  // In this order: all threads have to have the same filters when the first one comes.
  BAOKMS_TRY(module.Install());
  return own.Install(SeccompPolicy::Scope::kThisThread);
}

}  // namespace baokms::authagent
