#include "common/base/seccomp_policy.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "common/base/error.h"
#include "common/base/unique_fd.h"

namespace baokms {
namespace {

// Flags with which openat() may modify or create a file.
constexpr std::uint64_t kChanging = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;

constexpr std::array<std::uint64_t, 3> kFamilies = {AF_UNIX, AF_INET, AF_INET6};

}  // namespace

struct SeccompPolicy::Filter {
  explicit Filter(scmp_filter_ctx ctx) : context(ctx) {}

  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;

  ~Filter() { ::seccomp_release(context); }

  scmp_filter_ctx context;
};

SeccompPolicy::SeccompPolicy(std::unique_ptr<Filter> filter) : filter_(std::move(filter)) {
}

SeccompPolicy::SeccompPolicy(SeccompPolicy&&) noexcept = default;
SeccompPolicy& SeccompPolicy::operator=(SeccompPolicy&&) noexcept = default;
SeccompPolicy::~SeccompPolicy() = default;

Result<SeccompPolicy> SeccompPolicy::Create(std::uint32_t default_action, KernelLog kernel_log) {
  scmp_filter_ctx context = ::seccomp_init(default_action);
  if (context == nullptr) {
    return Error(ErrorCode::kSystem, "seccomp_init");
  }
  auto filter = std::make_unique<Filter>(context);
  for (const auto& [attribute, value] : {
           std::pair{SCMP_FLTATR_CTL_TSYNC, 1U},
           std::pair{SCMP_FLTATR_CTL_LOG, kernel_log == KernelLog::kRefusals ? 1U : 0U},
           std::pair{SCMP_FLTATR_CTL_OPTIMIZE, 2U},  // binary tree: many of the calls are frequent
           std::pair{SCMP_FLTATR_ACT_BADARCH, static_cast<std::uint32_t>(SCMP_ACT_KILL_PROCESS)},
       }) {
    if (const int r = ::seccomp_attr_set(context, attribute, value); r < 0) {
      return Error(ErrorCode::kSystem, "seccomp_attr_set", -r);
    }
  }
  SeccompPolicy policy(std::move(filter));
  // glibc tries clone3 first and falls back to clone on ENOSYS. A filter can check the flags of
  // clone, which are in a register, but not those of clone3, which are in memory.
  BAOKMS_TRY(policy.Refuse({SCMP_SYS(clone3)}, ENOSYS));
  return policy;
}

Result<SeccompPolicy> SeccompPolicy::CreateForChild() {
  return Create(SCMP_ACT_TRAP, KernelLog::kKillsOnly);
}

Result<SeccompPolicy> SeccompPolicy::CreateForTalkingChild() {
  SeccompPolicy policy = BAOKMS_TRY(CreateForChild());
  BAOKMS_TRY(policy.KillDangerous());
  BAOKMS_TRY(policy.AllowOpenTransfers());  // inherited channels, brokered sockets
  BAOKMS_TRY(policy.AllowSocketTuning());   // libcurl inspects the sockets it receives
  BAOKMS_TRY(policy.AllowMemory());         // malloc, SecretBuffer; no executable memory
  BAOKMS_TRY(policy.AllowWaiting());        // the event loop
  BAOKMS_TRY(policy.AllowEntropy());        // TLS
  BAOKMS_TRY(policy.AllowOwnTimers());      // postponing the dead man's timer
  BAOKMS_TRY(policy.AllowExit());
  return policy;
}

Result<SeccompPolicy> SeccompPolicy::CreateForSupervisor() {
  return Create(SCMP_ACT_ERRNO(EPERM), KernelLog::kRefusals);
}

Status SeccompPolicy::AddRule(std::uint32_t action, int syscall, const scmp_arg_cmp* condition) {
  const unsigned conditions = condition == nullptr ? 0 : 1;
  if (const int r =
          ::seccomp_rule_add_array(filter_->context, action, syscall, conditions, condition);
      r < 0) {
    return Error(ErrorCode::kSystem, "seccomp_rule_add", -r);
  }
  return {};
}

Status SeccompPolicy::AddRules(std::uint32_t action, std::initializer_list<int> syscalls) {
  for (const int syscall : syscalls) {
    BAOKMS_TRY(AddRule(action, syscall, nullptr));
  }
  return {};
}

Status SeccompPolicy::Allow(std::initializer_list<int> syscalls) {
  return AddRules(SCMP_ACT_ALLOW, syscalls);
}

Status SeccompPolicy::AllowWhen(int syscall, unsigned index, std::uint64_t value) {
  const scmp_arg_cmp equals = {.arg = index, .op = SCMP_CMP_EQ, .datum_a = value, .datum_b = 0};
  return AddRule(SCMP_ACT_ALLOW, syscall, &equals);
}

Status SeccompPolicy::AllowMasked(int syscall,
                                  unsigned index,
                                  std::uint64_t mask,
                                  std::uint64_t value) {
  const scmp_arg_cmp masked = {
      .arg = index, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
  return AddRule(SCMP_ACT_ALLOW, syscall, &masked);
}

Status SeccompPolicy::Refuse(std::initializer_list<int> syscalls, int with_errno) {
  return AddRules(SCMP_ACT_ERRNO(static_cast<std::uint32_t>(with_errno)), syscalls);
}

Status SeccompPolicy::RefuseIf(int syscall, const scmp_arg_cmp& condition, int with_errno) {
  return AddRule(SCMP_ACT_ERRNO(static_cast<std::uint32_t>(with_errno)), syscall, &condition);
}

Status SeccompPolicy::RefuseWithAnyBit(int syscall,
                                       unsigned index,
                                       std::uint64_t bits,
                                       int with_errno) {
  for (std::uint64_t bit = 1; bit != 0; bit <<= 1U) {
    if ((bits & bit) != 0) {
      BAOKMS_TRY(RefuseIf(syscall,
                          {.arg = index, .op = SCMP_CMP_MASKED_EQ, .datum_a = bit, .datum_b = bit},
                          with_errno));
    }
  }
  return {};
}

Status SeccompPolicy::RefuseUnless(int syscall,
                                   unsigned index,
                                   std::uint64_t value,
                                   int with_errno) {
  return RefuseIf(syscall, {.arg = index, .op = SCMP_CMP_NE, .datum_a = value, .datum_b = 0},
                  with_errno);
}

Status SeccompPolicy::RefuseAbove(int syscall,
                                  unsigned index,
                                  std::uint64_t value,
                                  int with_errno) {
  return RefuseIf(syscall, {.arg = index, .op = SCMP_CMP_GT, .datum_a = value, .datum_b = 0},
                  with_errno);
}

Status SeccompPolicy::KillDangerous() {
  return AddRules(SCMP_ACT_KILL_PROCESS, {SCMP_SYS(ptrace),
                                          SCMP_SYS(process_vm_readv),
                                          SCMP_SYS(process_vm_writev),
                                          SCMP_SYS(bpf),
                                          SCMP_SYS(perf_event_open),
                                          SCMP_SYS(userfaultfd),
                                          SCMP_SYS(io_uring_setup),
                                          SCMP_SYS(io_uring_enter),
                                          SCMP_SYS(io_uring_register),
                                          SCMP_SYS(keyctl),
                                          SCMP_SYS(add_key),
                                          SCMP_SYS(request_key),
                                          SCMP_SYS(mount),
                                          SCMP_SYS(umount2),
                                          SCMP_SYS(pivot_root),
                                          SCMP_SYS(move_mount),
                                          SCMP_SYS(open_tree),
                                          SCMP_SYS(fsopen),
                                          SCMP_SYS(fsmount),
                                          SCMP_SYS(chroot),
                                          SCMP_SYS(unshare),
                                          SCMP_SYS(setns),
                                          SCMP_SYS(init_module),
                                          SCMP_SYS(finit_module),
                                          SCMP_SYS(delete_module),
                                          SCMP_SYS(kexec_load),
                                          SCMP_SYS(kexec_file_load),
                                          SCMP_SYS(reboot),
                                          SCMP_SYS(swapon),
                                          SCMP_SYS(swapoff),
                                          SCMP_SYS(pidfd_getfd),
                                          SCMP_SYS(kcmp),
                                          SCMP_SYS(process_madvise),
                                          SCMP_SYS(personality),
                                          SCMP_SYS(settimeofday),
                                          SCMP_SYS(clock_settime),
                                          SCMP_SYS(iopl),
                                          SCMP_SYS(ioperm),
                                          SCMP_SYS(modify_ldt),
                                          SCMP_SYS(open_by_handle_at)});
}

Status SeccompPolicy::AllowMemory() {
  BAOKMS_TRY(AllowMasked(SCMP_SYS(mmap), 2, PROT_EXEC, 0));
  BAOKMS_TRY(AllowMasked(SCMP_SYS(mprotect), 2, PROT_EXEC, 0));
  return Allow({SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise),
                SCMP_SYS(mlock), SCMP_SYS(munlock)});
}

Status SeccompPolicy::AllowOpenTransfers() {
  return Allow({SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev),
                SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(recvmsg), SCMP_SYS(sendmsg),
                SCMP_SYS(shutdown), SCMP_SYS(close), SCMP_SYS(fcntl)});
}

Status SeccompPolicy::AllowSocketTuning() {
  return Allow(
      {SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername)});
}

Status SeccompPolicy::AllowWaiting() {
  return Allow({SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl), SCMP_SYS(poll),
                SCMP_SYS(ppoll), SCMP_SYS(futex), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
                SCMP_SYS(clock_nanosleep), SCMP_SYS(sched_yield), SCMP_SYS(restart_syscall)});
}

Status SeccompPolicy::AllowEntropy() {
  return Allow({SCMP_SYS(getrandom)});
}

Status SeccompPolicy::AllowExit() {
  return Allow({SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn),
                SCMP_SYS(rt_sigprocmask), SCMP_SYS(getpid), SCMP_SYS(gettid)});
}

Status SeccompPolicy::AllowOwnTimers() {
  return Allow({SCMP_SYS(timer_settime)});
}

Status SeccompPolicy::AllowOpenToRead() {
  return AllowMasked(SCMP_SYS(openat), 2, kChanging, 0);
}

Status SeccompPolicy::AllowOpenToReadElseRefuse() {
  BAOKMS_TRY(AllowOpenToRead());
  BAOKMS_TRY(RefuseWithAnyBit(SCMP_SYS(openat), 2, kChanging, EACCES));
  return Refuse({SCMP_SYS(mkdir), SCMP_SYS(unlink), SCMP_SYS(rename), SCMP_SYS(ftruncate)}, EACCES);
}

Status SeccompPolicy::AllowChangingFiles() {
  return Allow({SCMP_SYS(openat), SCMP_SYS(ftruncate), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
                SCMP_SYS(pwrite64), SCMP_SYS(flock), SCMP_SYS(mkdir), SCMP_SYS(unlink),
                SCMP_SYS(rename), SCMP_SYS(fchmod), SCMP_SYS(umask)});
}

Status SeccompPolicy::AllowLocalSockets() {
  BAOKMS_TRY(AllowWhen(SCMP_SYS(socket), 0, AF_UNIX));
  BAOKMS_TRY(RefuseUnless(SCMP_SYS(socket), 0, AF_UNIX, EACCES));
  return Allow({SCMP_SYS(connect)});
}

Status SeccompPolicy::AllowInternetSockets() {
  for (const std::uint64_t family : kFamilies) {
    BAOKMS_TRY(AllowWhen(SCMP_SYS(socket), 0, family));
  }
  BAOKMS_TRY(RefuseAbove(SCMP_SYS(socket), 0, AF_INET6, EACCES));
  return Allow({SCMP_SYS(connect)});
}

Status SeccompPolicy::AllowExecutableMemory(DangerousGrant grant) {
  if (grant.reason.empty()) {
    return Error(ErrorCode::kInvalidArgument, "a dangerous grant without a reason");
  }
  return Allow({SCMP_SYS(mmap), SCMP_SYS(mprotect)});
}

Status SeccompPolicy::AllowStartingPrograms(DangerousGrant grant) {
  if (grant.reason.empty()) {
    return Error(ErrorCode::kInvalidArgument, "a dangerous grant without a reason");
  }
  // A new user namespace would give the process every capability inside it.
  constexpr std::uint64_t kNamespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                                        CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  BAOKMS_TRY(AllowMasked(SCMP_SYS(clone), 0, kNamespaces, 0));
  return Allow({SCMP_SYS(execveat), SCMP_SYS(wait4)});
}

Status SeccompPolicy::Install(Scope scope) {
  const std::uint32_t all_threads = scope == Scope::kAllThreads ? 1 : 0;
  if (const int r = ::seccomp_attr_set(filter_->context, SCMP_FLTATR_CTL_TSYNC, all_threads);
      r < 0) {
    return Error(ErrorCode::kSystem, "seccomp_attr_set", -r);
  }
  if (const int r = ::seccomp_load(filter_->context); r < 0) {
    return Error(ErrorCode::kSystem, "seccomp_load", -r);
  }
  return {};
}

Result<std::string> SeccompPolicy::ToText() const {
  const UniqueFd file(::memfd_create("policy", MFD_CLOEXEC));
  if (!file.valid()) {
    return Error(ErrorCode::kSystem, "memfd_create", errno);
  }
  if (const int r = ::seccomp_export_pfc(filter_->context, file.get()); r < 0) {
    return Error(ErrorCode::kSystem, "seccomp_export_pfc", -r);
  }
  std::string text;
  std::array<char, 4096> chunk{};
  for (off_t offset = 0;;) {
    const ssize_t n = ::pread(file.get(), chunk.data(), chunk.size(), offset);
    if (n < 0) {
      return Error(ErrorCode::kSystem, "pread", errno);
    }
    if (n == 0) {
      return text;
    }
    text.append(chunk.data(), static_cast<std::size_t>(n));
    offset += n;
  }
}

}  // namespace baokms
