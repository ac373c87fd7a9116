// Runs a deed in a forked child under a real filter and says how it ended. Every deed is first
// proved to work without the filter, so that no test passes because a deed never could work.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "common/base/result.h"

namespace baokms {

// Returns 0, or the errno of what failed.
using Attempt = std::function<int()>;

// Enters a filter, for good.
using EnterFilter = std::function<Status()>;

struct ChildOutcome {
  int wait_status = 0;
  int error = 0;                                // what the attempt returned, if it came back
  std::optional<std::uint32_t> refused_call{};  // from a SyscallRefused datagram
  friend bool operator==(const ChildOutcome&, const ChildOutcome&) = default;
};

// The attempt in a child without a filter. Each runs in a process of its own.
ChildOutcome RunFree(const Attempt& attempt);

// The attempt in a child that has installed the handler of ipc/refused_syscall.h and entered the
// filter.
ChildOutcome RunConfined(const EnterFilter& enter, const Attempt& attempt);

// What the expectations below compare: "did it", "errno EPERM", "killed by signal 31", "refused
// execve and exited with 97".
std::string Describe(const ChildOutcome& outcome);

// For a child: the deed works outside, ends the process inside, and the call is reported.
void ExpectReported(const EnterFilter& enter, const Attempt& attempt, int syscall);

// For a child: the deed works outside and is a kill without a handler inside.
void ExpectKilled(const EnterFilter& enter, const Attempt& attempt);

// For a child: a new process can be made outside and not inside, neither by clone(2) itself, which
// is reported, nor by the fork(3) of this release's libc.
void ExpectForkRefused(const EnterFilter& enter);

// The deed works outside and fails with this errno inside; the process lives on.
void ExpectErrno(const EnterFilter& enter, const Attempt& attempt, int expected);

// The deed works outside and inside.
void ExpectAllowed(const EnterFilter& enter, const Attempt& attempt);

}  // namespace baokms
