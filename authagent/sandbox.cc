#include "authagent/sandbox.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "common/base/error.h"
#include "common/base/unique_fd.h"
#include "ipc/child_descriptors.h"

namespace baokms::authagent {
namespace {

// One connection and two descriptors of a channel per worker slot, the credential file, and the
// loop's own descriptors.
constexpr rlim_t kOpenFiles = 96;
// Measured usage is below 8 MiB; this leaves room for a JWT and a CA bundle of the maximum size.
constexpr rlim_t kDataBytes = rlim_t{96} << 20U;

// Vendor code may need token files, sockets, and its own stacks and heaps.
constexpr rlim_t kModuleOpenFiles = 512;
constexpr rlim_t kModuleDataBytes = rlim_t{512} << 20U;
constexpr rlim_t kModuleAddressBytes = rlim_t{16} << 30U;  // each thread reserves 72 MiB, unused

constexpr DangerousGrant kLoadModuleCode("ADR-0003");
constexpr DangerousGrant kModuleChangesFiles("ADR-0011");
constexpr DangerousGrant kModuleConnects("ADR-0011");

// SoftHSM writes its token at each login. It continues after EACCES, and nothing is lost if it is
// killed at that moment (docs/authentication.md).
Status AllowFiles(SeccompPolicy& policy, const ipc::ModuleAccess& access) {
  // The configuration, the token's objects and their directory.
  BAOKMS_TRY(
      policy.Allow({SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(statx), SCMP_SYS(readlink),
                    SCMP_SYS(readlinkat), SCMP_SYS(pread64), SCMP_SYS(lseek), SCMP_SYS(access),
                    SCMP_SYS(faccessat), SCMP_SYS(getdents64)}));
  if (!access.state_directory().empty()) {
    return policy.AllowChangingFiles(kModuleChangesFiles);
  }
  BAOKMS_TRY(policy.Refuse({SCMP_SYS(ftruncate)}, EACCES));
  return policy.AllowOpenToReadElseRefuse();
}

// Refused calls fail with EACCES instead of ending the process, because modules write to syslog
// when an error occurs.
Status AllowNetwork(SeccompPolicy& policy, const ipc::ModuleAccess& access) {
  switch (access.network()) {
    case ipc::ModuleAccess::NETWORK_UNIX:
      return policy.AllowLocalSockets(kModuleConnects);
    case ipc::ModuleAccess::NETWORK_INET:
      return policy.AllowInternetSockets(kModuleConnects);
    default:
      return policy.Refuse({SCMP_SYS(socket), SCMP_SYS(connect)}, EACCES);
  }
}

// Only needed to open the module: its code is mapped and its threads start.
Status AllowLoading(SeccompPolicy& policy) {
  BAOKMS_TRY(policy.AllowExecutableMemory(kLoadModuleCode));
  BAOKMS_TRY(policy.AllowIf(SCMP_SYS(clone), {ArgumentHas(0, CLONE_THREAD)}));
  BAOKMS_TRY(policy.AllowIf(SCMP_SYS(prctl), {ArgumentIs(0, PR_SET_NAME)}));
  return policy.Allow({SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(sched_getaffinity),
                       SCMP_SYS(eventfd2), SCMP_SYS(epoll_create1)});
}

bool IsDirectory(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)).valid();
}

// The directory, because the file is replaced, and that of the file that a link leads to now, for
// a link into a place that the directory does not contain.
void AddCredential(const std::string& path, std::vector<std::string>& readable) {
  readable.push_back(path.substr(0, path.rfind('/') + 1));
  std::error_code failed;
  const auto target = std::filesystem::canonical(path, failed);
  if (!failed) {
    readable.push_back(target.parent_path().string());
  }
}

}  // namespace

ipc::ChildLimits LimitsOf(const ipc::AgentSetup& setup) {
  const bool module = setup.has_module();
  const bool writes = !setup.module().state_directory().empty();
  return {.process_name = "bao-kms-authagt",
          .fixed_descriptors =
              setup.credential_opened() ? ipc::kCredentialDescriptor + 1 : ipc::kChildDescriptors,
          .open_files = module ? kModuleOpenFiles : kOpenFiles,
          .data_bytes = module ? kModuleDataBytes : kDataBytes,
          .address_bytes = module ? kModuleAddressBytes : ipc::kAddressBytes,
          .file_bytes = writes ? RLIM_INFINITY : 0};
}

Result<LandlockState> RestrictFiles(const ipc::AgentSetup& setup) {
  const std::string& state = setup.module().state_directory();
  if (!state.empty() && !IsDirectory(state)) {
    return Error(ErrorCode::kInvalidArgument,
                 "set-up: auth.cert.pkcs11.stateDirectory cannot be opened", errno);
  }
  if (setup.without_landlock()) {
    return LandlockState();
  }
  LandlockRules rules;
  for (const std::string& path : {setup.jwt_file().path(), setup.oauth2().client_secret_file()}) {
    if (!path.empty()) {
      AddCredential(path, rules.readable);
    }
  }
  if (setup.has_module()) {
    const bool network = setup.module().network() != ipc::ModuleAccess::NETWORK_NONE;
    rules.restrict_reading = false;
    rules.restrict_ports = !network;
    rules.restrict_scope = !network;
    if (!state.empty()) {
      rules.changeable = {state};
    }
  }
  return EnterLandlock(rules);
}

Result<std::string_view> EnterFirstFilter(const ipc::AgentSetup& setup) {
  if (setup.has_module()) {
    BAOKMS_TRY(EnterLoadingSandbox(setup.module()));
    return std::string_view("auth_agent_pkcs11_loading");
  }
  BAOKMS_TRY(EnterSandbox());
  return std::string_view("auth_agent");
}

Result<SeccompPolicy> BuildPolicy() {
  SeccompPolicy policy = BAOKMS_TRY(SeccompPolicy::CreateForTalkingChild());
  // The JWT file, read at each login by a checked walk of its path: only for reading, never
  // creating.
  BAOKMS_TRY(policy.AllowOpenToRead());
  BAOKMS_TRY(policy.Allow({SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(readlinkat),
                           SCMP_SYS(pread64), SCMP_SYS(geteuid)}));
  // libcurl 7.88 calls connect() on the already connected descriptor it receives (its issue 10626).
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
  // Vendor code, and the C library for it, map files that others change: caches of user names and
  // of character sets, memory of a vendor's service.
  BAOKMS_TRY(policy.AllowIf(SCMP_SYS(mmap), {ArgumentLacks(2, PROT_EXEC)}));
  // Vendor code queries its user and its host.
  BAOKMS_TRY(policy.Allow({SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid),
                           SCMP_SYS(uname), SCMP_SYS(sysinfo)}));
  if (stage == ModuleStage::kLoading) {
    BAOKMS_TRY(AllowLoading(policy));
  }
  // Permits the next filters: the second stage, then that of the loop's thread alone.
  BAOKMS_TRY(policy.AllowIf(SCMP_SYS(prctl), {ArgumentIs(0, PR_SET_NO_NEW_PRIVS)}));
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
  // The order matters: all threads must have the same filters when the first one is installed.
  BAOKMS_TRY(module.Install());
  return own.Install(SeccompPolicy::Scope::kThisThread);
}

}  // namespace baokms::authagent
