// An allow-list of system calls, expressed as a list of needs. All other calls are refused: a child
// is terminated, and in the supervisor the call fails with EPERM and a line in the kernel log.

#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"

struct scmp_arg_cmp;

namespace baokms {

// Required by the functions below that extend the attack surface beyond the needs of a confined
// program. Every use can be found by grep and states its reason.
struct DangerousGrant {
  std::string_view reason;
};

class SeccompPolicy {
 public:
  // Creates the policy of a worker, the auth agent or the spawner. A call outside the list raises
  // SIGSYS, whose handler (ipc/refused_syscall.h) reports the number and ends the process. The
  // calls of KillDangerous() and a foreign architecture kill the process immediately.
  static Result<SeccompPolicy> CreateForChild();

  // The same, with the needs that a worker and the auth agent share: an event loop on channels and
  // brokered sockets, TLS, memory and the dead man's timer.
  static Result<SeccompPolicy> CreateForTalkingChild();

  // Creates the policy of the supervisor, whose termination would be an outage: a refused call
  // fails with EPERM and a line in the kernel log.
  static Result<SeccompPolicy> CreateForSupervisor();

  SeccompPolicy(SeccompPolicy&&) noexcept;
  SeccompPolicy& operator=(SeccompPolicy&&) noexcept;
  SeccompPolicy(const SeccompPolicy&) = delete;
  SeccompPolicy& operator=(const SeccompPolicy&) = delete;
  ~SeccompPolicy();

  // Groups of calls. docs/security.md states the reason for each call.
  Status AllowMemory();         // mmap/mprotect without PROT_EXEC, munmap, mremap, brk, mlock, ...
  Status AllowOpenTransfers();  // read, write, send, receive, close, fcntl on open descriptors
  Status AllowSocketTuning();   // getsockopt, setsockopt, getsockname, getpeername
  Status AllowWaiting();        // epoll, poll, futex, clocks
  Status AllowEntropy();        // getrandom
  Status AllowExit();           // exit, exit_group, rt_sigreturn, rt_sigprocmask
  Status AllowOwnTimers();      // timer_settime, for the dead man's timer

  // Allows these calls with any arguments.
  Status Allow(std::initializer_list<int> syscalls);

  // Allows `syscall` only when its argument `index` (0..5) equals `value`.
  Status AllowWhen(int syscall, unsigned index, std::uint64_t value);

  // Allows `syscall` only when the `mask` bits of its argument `index` (0..5) equal `value`.
  Status AllowMasked(int syscall, unsigned index, std::uint64_t mask, std::uint64_t value);

  // Makes these calls fail with `with_errno` instead of ending the process, for probes that a
  // library can do without. With 0 the call reports success and does nothing.
  Status Refuse(std::initializer_list<int> syscalls, int with_errno);

  // Fails with the same errno when argument `index` has a bit of `bits`, is not `value`, or is
  // above `value`. These conditions must not overlap with what AllowMasked() or AllowWhen() allow.
  Status RefuseWithAnyBit(int syscall, unsigned index, std::uint64_t bits, int with_errno);
  Status RefuseUnless(int syscall, unsigned index, std::uint64_t value, int with_errno);
  Status RefuseAbove(int syscall, unsigned index, std::uint64_t value, int with_errno);

  // Kills a child, without running its handler, on calls that none of our processes needs after
  // start-up.
  Status KillDangerous();

  // Allows openat() for reading existing files.
  Status AllowOpenToRead();

  // The same for code that continues after EACCES when it tries to modify a file, and for code that
  // does need to modify files.
  Status AllowOpenToReadElseRefuse();
  Status AllowChangingFiles();

  // Allows creating local sockets, or local and internet sockets, for code that continues after
  // EACCES for any other family.
  Status AllowLocalSockets();
  Status AllowInternetSockets();

  // Allows mmap and mprotect with any protection, as the loader of a program requires.
  Status AllowExecutableMemory(DangerousGrant grant);

  // Allows execveat, the preceding fork (into no new namespace) and the wait for the child.
  Status AllowStartingPrograms(DangerousGrant grant);

  enum class Scope : std::uint8_t { kAllThreads, kThisThread };

  // Sets no_new_privs and loads the filter, by default on all threads. This cannot be undone.
  Status Install(Scope scope = Scope::kAllThreads);

  // Returns libseccomp's pseudo filter code: the text that the golden files record.
  [[nodiscard]] Result<std::string> ToText() const;

 private:
  struct Filter;

  Status AddRule(std::uint32_t action, int syscall, const scmp_arg_cmp* condition);
  Status AddRules(std::uint32_t action, std::initializer_list<int> syscalls);
  Status RefuseIf(int syscall, const scmp_arg_cmp& condition, int with_errno);

  explicit SeccompPolicy(std::unique_ptr<Filter> filter);

  // A child reports a refusal itself. One line per refused connect() would only fill the kernel
  // log.
  enum class KernelLog : std::uint8_t { kKillsOnly, kRefusals };

  static Result<SeccompPolicy> Create(std::uint32_t default_action, KernelLog kernel_log);

  std::unique_ptr<Filter> filter_;
};

}  // namespace baokms
