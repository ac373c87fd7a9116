// An allow-list of system calls, written as a list of needs. Everything not named kills the
// process.

#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace baokms {

// Passed to the calls below that widen the attack surface. Found by grep; each use names its ADR.
struct DangerousGrant {
  std::string_view adr;
};

class SeccompPolicy {
 public:
  // Starts from "kill the process". The default action is not a parameter.
  static Result<SeccompPolicy> Create();

  SeccompPolicy(SeccompPolicy&&) noexcept;
  SeccompPolicy& operator=(SeccompPolicy&&) noexcept;
  SeccompPolicy(const SeccompPolicy&) = delete;
  SeccompPolicy& operator=(const SeccompPolicy&) = delete;
  ~SeccompPolicy();

  // Groups. Each says what it is for and which calls that takes; docs/SANDBOX.md repeats the reason
  // per call.
  Result<void> AllowMemory();             // mmap/mprotect without PROT_EXEC, munmap, brk, madvise
  Result<void> AllowTransferOnOpenFds();  // read, write, recvmsg, sendmsg, close; never open
  Result<void> AllowWaiting();            // poll, ppoll, futex, clock_*
  Result<void> AllowEntropy();            // getrandom
  Result<void> AllowExit();               // exit, exit_group, rt_sigreturn

  // Fails instead of killing: for probes that libc or OpenSSL make and survive without.
  Result<void> Refuse(std::initializer_list<int> syscalls, int with_errno);

  Result<void> AllowNewSockets(DangerousGrant grant);  // socket, connect

  // Sets no_new_privs and loads the filter on all threads. There is no way back.
  Result<void> Install();

  // libseccomp's pseudo filter code: the text that tests/worker/*.pfc.golden freezes.
  [[nodiscard]] Result<std::string> ToText() const;

 private:
  struct Filter;

  explicit SeccompPolicy(std::unique_ptr<Filter> filter);

  Result<void> Allow(std::initializer_list<int> syscalls);

  std::unique_ptr<Filter> filter_;
};

}  // namespace baokms
