// An allow-list of system calls, expressed as a list of needs. All other calls are refused: a child
// is terminated, and in the supervisor the call fails with EPERM and a line in the kernel log.

#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/base/result.h"

struct scmp_arg_cmp;

namespace baokms {

// Required by the functions below that extend the attack surface beyond the needs of a confined
// program. Every grant is a named constant, so that grep finds all of them, and names the decision
// record (docs/decisions) that justifies it, for example "ADR-0009". .ci/doc_links.py checks that
// the record exists.
class DangerousGrant {
 public:
  explicit consteval DangerousGrant(std::string_view record) {
    if (record.size() != 8 || record.substr(0, 4) != "ADR-") {
      throw "the name of a decision record is ADR and four digits";  // ends the compilation
    }
  }
};

// A condition on the argument `index` (0..5) of a call: its bits of `mask` equal `value`.
struct ArgumentCondition {
  unsigned index;
  std::uint64_t mask;
  std::uint64_t value;
};

constexpr ArgumentCondition ArgumentIs(unsigned index, std::uint64_t value) {
  return {.index = index, .mask = ~std::uint64_t{0}, .value = value};
}

constexpr ArgumentCondition ArgumentHas(unsigned index, std::uint64_t bits) {
  return {.index = index, .mask = bits, .value = bits};
}

constexpr ArgumentCondition ArgumentLacks(unsigned index, std::uint64_t bits) {
  return {.index = index, .mask = bits, .value = 0};
}

// The type of a socket, for socket(2) and socketpair(2), whatever its descriptor's flags.
constexpr ArgumentCondition SocketTypeIs(unsigned index, int type) {
  return {.index = index,
          .mask = ~std::uint64_t{SOCK_CLOEXEC | SOCK_NONBLOCK},
          .value = static_cast<std::uint64_t>(type)};
}

// An option of getsockopt(2) and setsockopt(2).
struct SocketOption {
  int level;
  int name;
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
  Status AllowMemory();         // private memory without PROT_EXEC: mmap, mprotect, brk, mlock, ...
  Status AllowOpenTransfers();  // read, write, send, receive, close, flags of open descriptors
  Status AllowSocketNames();    // getsockname, getpeername
  Status AllowBrokeredSocketOptions();  // what is read and set of a connection to OpenBao
  Status AllowWaiting();                // epoll, poll, futex, clocks
  Status AllowEntropy();                // getrandom
  Status AllowExit();                   // exit, exit_group, rt_sigreturn, rt_sigprocmask
  Status AllowOwnTimers();              // timer_settime, for the dead man's timer

  // Allows these calls with any arguments. kInvalidArgument: one of them is harmless only with some
  // arguments and needs AllowIf(), or needs a grant.
  Status Allow(std::initializer_list<int> syscalls);
  Status Allow(std::initializer_list<int> syscalls, DangerousGrant grant);

  // Allows `syscall` when all conditions hold, which are on different arguments.
  Status AllowIf(int syscall, std::initializer_list<ArgumentCondition> conditions);

  // Allows fcntl(2) with these commands, for which any argument is harmless.
  Status AllowFcntl(std::initializer_list<int> commands);

  // Allows reading, or reading and setting, these options of a socket.
  Status AllowReadingOptions(std::initializer_list<SocketOption> options);
  Status AllowSettingOptions(std::initializer_list<SocketOption> options);

  // Allows socketpair(2) of local sockets of this type. A pair of SOCK_DGRAM must not be allowed:
  // each of its ends can send to any datagram socket in the file system.
  Status AllowSocketPairs(int type);

  // Allows socket(2) of AF_INET and AF_INET6 for TCP and UDP, and for no other protocol.
  Status AllowTcpAndUdp();

  // Makes these calls fail with `with_errno` instead of ending the process, for probes that a
  // library can do without. With 0 the call reports success and does nothing.
  Status Refuse(std::initializer_list<int> syscalls, int with_errno);

  // Fails with the same errno when argument `index` has a bit of `bits`, is not `value`, or is
  // above `value`. These conditions must not overlap with what AllowIf() allows.
  Status RefuseWithAnyBit(int syscall, unsigned index, std::uint64_t bits, int with_errno);
  Status RefuseUnless(int syscall, unsigned index, std::uint64_t value, int with_errno);
  Status RefuseAbove(int syscall, unsigned index, std::uint64_t value, int with_errno);

  // Kills a child, without running its handler, on calls that none of our processes needs after
  // start-up.
  Status KillDangerous();

  // Allows openat() for reading existing files.
  Status AllowOpenToRead();

  // The same, with locks, for code that continues after EACCES when it tries to modify a file, and
  // for code that does need to modify files.
  Status AllowOpenToReadElseRefuse();
  Status AllowChangingFiles(DangerousGrant grant);

  // Allows creating, tuning and connecting local sockets, or local sockets and those of TCP and
  // UDP, for code that continues after EACCES for any other family.
  Status AllowLocalSockets(DangerousGrant grant);
  Status AllowInternetSockets(DangerousGrant grant);

  // Allows mmap and mprotect with any protection, as the loader of a program requires.
  Status AllowExecutableMemory(DangerousGrant grant);

  // Allows execveat, the preceding fork (into no new namespace) and the wait for the child.
  Status AllowStartingPrograms(DangerousGrant grant);

  enum class Scope : std::uint8_t { kAllThreads, kThisThread };

  // Sets no_new_privs and loads the filter, by default on all threads. This cannot be undone.
  Status Install(Scope scope = Scope::kAllThreads);

  // Returns libseccomp's pseudo filter code: the text that the golden files record.
  [[nodiscard]] Result<std::string> ToText() const;

  // Returns the filter as the kernel takes it: an array of struct sock_filter (seccomp(2)).
  [[nodiscard]] Result<std::string> ToProgram() const;

 private:
  struct Filter;

  Status AddRule(std::uint32_t action, int syscall, std::span<const scmp_arg_cmp> conditions);
  Status AddRules(std::uint32_t action, std::initializer_list<int> syscalls);
  Status AllowOptions(int syscall, std::initializer_list<SocketOption> options);
  Status AllowConnections(DangerousGrant grant);
  [[nodiscard]] Result<std::string> Export(int (*write)(void* const context, int fd)) const;
  Status RefuseIf(int syscall, const scmp_arg_cmp& condition, int with_errno);

  explicit SeccompPolicy(std::unique_ptr<Filter> filter);

  // A child reports a refusal itself. One line per refused connect() would only fill the kernel
  // log.
  enum class KernelLog : std::uint8_t { kKillsOnly, kRefusals };

  static Result<SeccompPolicy> Create(std::uint32_t default_action, KernelLog kernel_log);

  std::unique_ptr<Filter> filter_;
};

}  // namespace baokms
