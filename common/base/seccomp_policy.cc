#include "common/base/seccomp_policy.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "common/base/error.h"
#include "common/base/sanitizer_needs.h"
#include "common/base/unique_fd.h"

namespace baokms {
namespace {

// Flags with which openat() may modify or create a file.
constexpr std::uint64_t kChanging = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;

// With which SoftHSM and others lock a file that they read or write.
constexpr std::initializer_list<int> kFileLocks = {F_GETLK, F_SETLK, F_SETLKW};

// Types and protocols of internet sockets. Landlock judges the ports of TCP alone, so MPTCP and
// SCTP would reach any; SCTP is also what protocol 0 stands for with other types.
constexpr std::array<std::pair<int, std::uint64_t>, 4> kTcpAndUdp = {{{SOCK_STREAM, IPPROTO_IP},
                                                                      {SOCK_STREAM, IPPROTO_TCP},
                                                                      {SOCK_DGRAM, IPPROTO_IP},
                                                                      {SOCK_DGRAM, IPPROTO_UDP}}};
constexpr std::array<std::uint64_t, 2> kInternet = {AF_INET, AF_INET6};

// Some or all arguments of these calls reach other processes, files, the network or code
// (docs/decisions/0011-what-a-filter-may-allow.md).
constexpr std::initializer_list<int> kNeedConditionOrGrant = {
    SCMP_SYS(bind),       SCMP_SYS(capset),     SCMP_SYS(clone),        SCMP_SYS(connect),
    SCMP_SYS(execve),     SCMP_SYS(execveat),   SCMP_SYS(fchmod),       SCMP_SYS(fcntl),
    SCMP_SYS(fork),       SCMP_SYS(getsockopt), SCMP_SYS(ioctl),        SCMP_SYS(kill),
    SCMP_SYS(lchown),     SCMP_SYS(listen),     SCMP_SYS(memfd_secret), SCMP_SYS(mmap),
    SCMP_SYS(mprotect),   SCMP_SYS(open),       SCMP_SYS(openat),       SCMP_SYS(prctl),
    SCMP_SYS(prlimit64),  SCMP_SYS(renameat),   SCMP_SYS(sendmmsg),     SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),     SCMP_SYS(setgroups),  SCMP_SYS(setresgid),    SCMP_SYS(setresuid),
    SCMP_SYS(setsockopt), SCMP_SYS(socket),     SCMP_SYS(socketpair),   SCMP_SYS(tgkill),
    SCMP_SYS(unlink),     SCMP_SYS(unlinkat),   SCMP_SYS(vfork)};

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
  BAOKMS_TRY(AllowSanitizerNeeds(policy));
  return policy;
}

Result<SeccompPolicy> SeccompPolicy::CreateForChild() {
  return Create(SCMP_ACT_TRAP, KernelLog::kKillsOnly);
}

Result<SeccompPolicy> SeccompPolicy::CreateForTalkingChild() {
  SeccompPolicy policy = BAOKMS_TRY(CreateForChild());
  BAOKMS_TRY(policy.KillDangerous());
  BAOKMS_TRY(policy.AllowOpenTransfers());  // inherited channels, brokered sockets
  BAOKMS_TRY(policy.AllowSocketNames());    // libcurl inspects the sockets it receives
  BAOKMS_TRY(policy.AllowBrokeredSocketOptions());
  BAOKMS_TRY(policy.AllowMemory());     // malloc, SecretBuffer; no executable memory
  BAOKMS_TRY(policy.AllowWaiting());    // the event loop
  BAOKMS_TRY(policy.AllowEntropy());    // TLS
  BAOKMS_TRY(policy.AllowOwnTimers());  // postponing the dead man's timer
  BAOKMS_TRY(policy.AllowExit());
  return policy;
}

Result<SeccompPolicy> SeccompPolicy::CreateForSupervisor() {
  SeccompPolicy policy = BAOKMS_TRY(Create(SCMP_ACT_ERRNO(EPERM), KernelLog::kRefusals));
  BAOKMS_TRY(AllowLeakCheck(policy));
  return policy;
}

Status SeccompPolicy::AddRule(std::uint32_t action,
                              int syscall,
                              std::span<const scmp_arg_cmp> conditions) {
  if (const int r =
          ::seccomp_rule_add_array(filter_->context, action, syscall,
                                   static_cast<unsigned>(conditions.size()), conditions.data());
      r < 0) {
    return Error(ErrorCode::kSystem, "seccomp_rule_add", -r);
  }
  return {};
}

Status SeccompPolicy::AddRules(std::uint32_t action, std::initializer_list<int> syscalls) {
  for (const int syscall : syscalls) {
    BAOKMS_TRY(AddRule(action, syscall, {}));
  }
  return {};
}

Status SeccompPolicy::Allow(std::initializer_list<int> syscalls) {
  if (std::find_first_of(syscalls.begin(), syscalls.end(), kNeedConditionOrGrant.begin(),
                         kNeedConditionOrGrant.end()) != syscalls.end()) {
    return Error(ErrorCode::kInvalidArgument, "a call that needs conditions or a grant");
  }
  return AddRules(SCMP_ACT_ALLOW, syscalls);
}

Status SeccompPolicy::Allow(std::initializer_list<int> syscalls, DangerousGrant /*grant*/) {
  return AddRules(SCMP_ACT_ALLOW, syscalls);
}

Status SeccompPolicy::AllowIf(int syscall, std::initializer_list<ArgumentCondition> conditions) {
  std::vector<scmp_arg_cmp> all;
  for (const ArgumentCondition& condition : conditions) {
    // libseccomp compares without a mask when all bits count.
    const bool whole = condition.mask == ~std::uint64_t{0};
    all.push_back({.arg = condition.index,
                   .op = whole ? SCMP_CMP_EQ : SCMP_CMP_MASKED_EQ,
                   .datum_a = whole ? condition.value : condition.mask,
                   .datum_b = whole ? 0 : condition.value});
  }
  return AddRule(SCMP_ACT_ALLOW, syscall, all);
}

Status SeccompPolicy::AllowFcntl(std::initializer_list<int> commands) {
  for (const int command : commands) {
    BAOKMS_TRY(AllowIf(SCMP_SYS(fcntl), {ArgumentIs(1, static_cast<std::uint64_t>(command))}));
  }
  return {};
}

Status SeccompPolicy::AllowOptions(int syscall, std::initializer_list<SocketOption> options) {
  for (const SocketOption& option : options) {
    BAOKMS_TRY(AllowIf(syscall, {ArgumentIs(1, static_cast<std::uint64_t>(option.level)),
                                 ArgumentIs(2, static_cast<std::uint64_t>(option.name))}));
  }
  return {};
}

Status SeccompPolicy::AllowReadingOptions(std::initializer_list<SocketOption> options) {
  return AllowOptions(SCMP_SYS(getsockopt), options);
}

Status SeccompPolicy::AllowSettingOptions(std::initializer_list<SocketOption> options) {
  return AllowOptions(SCMP_SYS(setsockopt), options);
}

Status SeccompPolicy::Refuse(std::initializer_list<int> syscalls, int with_errno) {
  return AddRules(SCMP_ACT_ERRNO(static_cast<std::uint32_t>(with_errno)), syscalls);
}

Status SeccompPolicy::RefuseIf(int syscall, const scmp_arg_cmp& condition, int with_errno) {
  return AddRule(SCMP_ACT_ERRNO(static_cast<std::uint32_t>(with_errno)), syscall, {&condition, 1});
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
  // RLIMIT_DATA counts neither shared memory, which stays even without a page of it in the process,
  // nor memory that grows like a stack. MAP_SHARED_VALIDATE has the bit of MAP_SHARED.
  BAOKMS_TRY(AllowIf(SCMP_SYS(mmap),
                     {ArgumentLacks(2, PROT_EXEC), ArgumentLacks(3, MAP_SHARED | MAP_GROWSDOWN)}));
  BAOKMS_TRY(AllowIf(SCMP_SYS(mprotect), {ArgumentLacks(2, PROT_EXEC)}));
  return Allow({SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise),
                SCMP_SYS(mlock), SCMP_SYS(munlock)});
}

Status SeccompPolicy::AllowOpenTransfers() {
  // A descriptor with O_ASYNC sends a signal of its owner's choice (F_SETOWN, F_SETSIG) to any
  // process of the same user.
  BAOKMS_TRY(AllowFcntl({F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC}));
  BAOKMS_TRY(AllowIf(SCMP_SYS(fcntl), {ArgumentIs(1, F_SETFL), ArgumentLacks(2, O_ASYNC)}));
  // An address or MSG_FASTOPEN connects a socket that is not connected. A filter cannot see the
  // address in sendmsg(2)'s structure, but without that flag a stream socket ignores or refuses it.
  BAOKMS_TRY(AllowIf(SCMP_SYS(sendto), {ArgumentLacks(3, MSG_FASTOPEN), ArgumentIs(4, 0)}));
  BAOKMS_TRY(AllowIf(SCMP_SYS(sendmsg), {ArgumentLacks(2, MSG_FASTOPEN)}));
  return Allow({SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev),
                SCMP_SYS(recvfrom), SCMP_SYS(recvmsg), SCMP_SYS(close)});
}

Status SeccompPolicy::AllowSocketNames() {
  return Allow({SCMP_SYS(getsockname), SCMP_SYS(getpeername)});
}

Status SeccompPolicy::AllowBrokeredSocketOptions() {
  BAOKMS_TRY(AllowReadingOptions(
      {{SOL_SOCKET, SO_ERROR}, {SOL_SOCKET, SO_TYPE}, {SOL_SOCKET, SO_DOMAIN}}));
  return AllowSettingOptions({{IPPROTO_TCP, TCP_NODELAY}});
}

Status SeccompPolicy::AllowSocketPairs(int type) {
  return AllowIf(SCMP_SYS(socketpair), {ArgumentIs(0, AF_UNIX), SocketTypeIs(1, type)});
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
  return AllowIf(SCMP_SYS(openat), {ArgumentLacks(2, kChanging)});
}

Status SeccompPolicy::AllowOpenToReadElseRefuse() {
  BAOKMS_TRY(AllowOpenToRead());
  BAOKMS_TRY(AllowFcntl(kFileLocks));
  BAOKMS_TRY(RefuseWithAnyBit(SCMP_SYS(openat), 2, kChanging, EACCES));
  return Refuse({SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(unlink), SCMP_SYS(unlinkat),
                 SCMP_SYS(rename), SCMP_SYS(renameat)},
                EACCES);
}

Status SeccompPolicy::AllowChangingFiles(DangerousGrant grant) {
  BAOKMS_TRY(AllowFcntl(kFileLocks));
  return Allow(
      {SCMP_SYS(openat), SCMP_SYS(ftruncate), SCMP_SYS(fsync), SCMP_SYS(fdatasync),
       SCMP_SYS(pwrite64), SCMP_SYS(flock), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(unlink),
       SCMP_SYS(unlinkat), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(fchmod), SCMP_SYS(umask)},
      grant);
}

Status SeccompPolicy::AllowConnections(DangerousGrant grant) {
  BAOKMS_TRY(AllowSettingOptions({{SOL_SOCKET, SO_KEEPALIVE},
                                  {SOL_SOCKET, SO_LINGER},
                                  {SOL_SOCKET, SO_RCVTIMEO},
                                  {SOL_SOCKET, SO_SNDTIMEO},
                                  {IPPROTO_TCP, TCP_KEEPCNT},
                                  {IPPROTO_TCP, TCP_KEEPIDLE},
                                  {IPPROTO_TCP, TCP_KEEPINTVL}}));
  return Allow({SCMP_SYS(connect), SCMP_SYS(shutdown)}, grant);
}

Status SeccompPolicy::AllowLocalSockets(DangerousGrant grant) {
  BAOKMS_TRY(AllowIf(SCMP_SYS(socket), {ArgumentIs(0, AF_UNIX)}));
  BAOKMS_TRY(RefuseUnless(SCMP_SYS(socket), 0, AF_UNIX, EACCES));
  return AllowConnections(grant);
}

Status SeccompPolicy::AllowTcpAndUdp() {
  for (const std::uint64_t family : kInternet) {
    for (const auto& [type, protocol] : kTcpAndUdp) {
      BAOKMS_TRY(AllowIf(SCMP_SYS(socket),
                         {ArgumentIs(0, family), SocketTypeIs(1, type), ArgumentIs(2, protocol)}));
    }
  }
  return {};
}

Status SeccompPolicy::AllowInternetSockets(DangerousGrant grant) {
  BAOKMS_TRY(AllowIf(SCMP_SYS(socket), {ArgumentIs(0, AF_UNIX)}));
  BAOKMS_TRY(AllowTcpAndUdp());
  BAOKMS_TRY(RefuseAbove(SCMP_SYS(socket), 0, AF_INET6, EACCES));
  return AllowConnections(grant);
}

Status SeccompPolicy::AllowExecutableMemory(DangerousGrant grant) {
  return Allow({SCMP_SYS(mmap), SCMP_SYS(mprotect)}, grant);
}

Status SeccompPolicy::AllowStartingPrograms(DangerousGrant grant) {
  // A new user namespace would give the process every capability inside it.
  constexpr std::uint64_t kNamespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                                        CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
  BAOKMS_TRY(AllowIf(SCMP_SYS(clone), {ArgumentLacks(0, kNamespaces)}));
  return Allow({SCMP_SYS(execveat), SCMP_SYS(wait4)}, grant);
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
  return Export(::seccomp_export_pfc);
}

Result<std::string> SeccompPolicy::ToProgram() const {
  return Export(::seccomp_export_bpf);
}

Result<std::string> SeccompPolicy::Export(int (*write)(void* const context, int fd)) const {
  const UniqueFd file(::memfd_create("policy", MFD_CLOEXEC));
  if (!file.valid()) {
    return Error(ErrorCode::kSystem, "memfd_create", errno);
  }
  if (const int r = write(filter_->context, file.get()); r < 0) {
    return Error(ErrorCode::kSystem, "seccomp_export", -r);
  }
  std::string exported;
  std::array<char, 4096> chunk{};
  for (off_t offset = 0;;) {
    const ssize_t n = ::pread(file.get(), chunk.data(), chunk.size(), offset);
    if (n < 0) {
      return Error(ErrorCode::kSystem, "pread", errno);
    }
    if (n == 0) {
      return exported;
    }
    exported.append(chunk.data(), static_cast<std::size_t>(n));
    offset += n;
  }
}

}  // namespace baokms
