// An allow-list of system calls, written as a list of needs. What is not named is refused: in a
// child it ends the process, in the supervisor it fails with EPERM and a line in the kernel log.

#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"

struct scmp_arg_cmp;

namespace baokms {

// Passed to the calls below that widen the attack surface beyond what a confined program needs.
// Found by grep; each use says why it is there.
struct DangerousGrant {
  std::string_view reason;
};

class SeccompPolicy {
 public:
  // For a worker, the auth agent and the spawner: a call outside the list raises SIGSYS, whose
  // handler (ipc/refused_syscall.h) reports the number and ends the process; the calls of
  // KillDangerous() end it at once. A foreign architecture ends it too.
  static Result<SeccompPolicy> CreateForChild();

  // The same, with what a worker and the auth agent both need: an event loop over channels and
  // brokered sockets, TLS, memory, their timer.
  static Result<SeccompPolicy> CreateForTalkingChild();

  // For the supervisor, where ending the process would be an outage: EPERM and a kernel log line.
  static Result<SeccompPolicy> CreateForSupervisor();

  SeccompPolicy(SeccompPolicy&&) noexcept;
  SeccompPolicy& operator=(SeccompPolicy&&) noexcept;
  SeccompPolicy(const SeccompPolicy&) = delete;
  SeccompPolicy& operator=(const SeccompPolicy&) = delete;
  ~SeccompPolicy();

  // Groups. docs/security.md repeats the reason per call.
  Status AllowMemory();         // mmap/mprotect without PROT_EXEC, munmap, mremap, brk, mlock, ...
  Status AllowOpenTransfers();  // read, write, send, receive, close, fcntl on what is open already
  Status AllowSocketTuning();   // getsockopt, setsockopt, getsockname, getpeername
  Status AllowWaiting();        // epoll, poll, futex, clocks
  Status AllowEntropy();        // getrandom
  Status AllowExit();           // exit, exit_group, rt_sigreturn, rt_sigprocmask
  Status AllowOwnTimers();      // timer_settime, for the timer that ends an orphan

  // Exactly these calls, whatever their arguments.
  Status Allow(std::initializer_list<int> syscalls);

  // `syscall` only when its argument `index` (0..5) equals `value`.
  Status AllowWhen(int syscall, unsigned index, std::uint64_t value);

  // `syscall` only when the bits of `mask` in its argument `index` (0..5) are those of `value`.
  Status AllowMasked(int syscall, unsigned index, std::uint64_t mask, std::uint64_t value);

  // Fails with this errno instead of ending the process: for probes that a library makes and
  // survives without. 0: the call answers success and does nothing.
  Status Refuse(std::initializer_list<int> syscalls, int with_errno);

  // The same errno for a call whose argument `index` has a bit of `bits`, is not `value`, or is
  // above `value`. What AllowMasked() or AllowWhen() let through must not be among them.
  Status RefuseWithAnyBit(int syscall, unsigned index, std::uint64_t bits, int with_errno);
  Status RefuseUnless(int syscall, unsigned index, std::uint64_t value, int with_errno);
  Status RefuseAbove(int syscall, unsigned index, std::uint64_t value, int with_errno);

  // Calls that no process of ours has a use for after start. They end a child without a handler.
  Status KillDangerous();

  // openat() of what is there, to read it.
  Status AllowOpenToRead();

  // The same for code that is told EACCES, and lives on, when it would change a file; and what
  // code needs that does change files.
  Status AllowOpenToReadElseRefuse();
  Status AllowChangingFiles();

  // Sockets of its own, for code that lives on when another family is answered EACCES: local ones,
  // or local and internet ones.
  Status AllowLocalSockets();
  Status AllowInternetSockets();

  // mmap and mprotect with any protection: a program that is yet to be loaded needs it.
  Status AllowExecutableMemory(DangerousGrant grant);

  // execveat, the fork that comes before it (into no new namespace) and the wait after it.
  Status AllowStartingPrograms(DangerousGrant grant);

  enum class Scope : std::uint8_t { kAllThreads, kThisThread };

  // Sets no_new_privs and loads the filter, on all threads unless told otherwise. There is no way
  // back.
  Status Install(Scope scope = Scope::kAllThreads);

  // libseccomp's pseudo filter code: the text that the golden files freeze.
  [[nodiscard]] Result<std::string> ToText() const;

 private:
  struct Filter;

  Status RefuseIf(int syscall, const scmp_arg_cmp& condition, int with_errno);

  explicit SeccompPolicy(std::unique_ptr<Filter> filter);

  // A child reports a refusal itself; a line per refused connect() would only fill the kernel log.
  enum class KernelLog : std::uint8_t { kKillsOnly, kRefusals };

  static Result<SeccompPolicy> Create(std::uint32_t default_action, KernelLog kernel_log);

  std::unique_ptr<Filter> filter_;
};

}  // namespace baokms
