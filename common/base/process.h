// What a process of ours does to itself before it trusts anybody: hardening steps shared by the
// supervisor and its children. Filters are in seccomp_policy.h.

#pragma once

#include <sys/resource.h>
#include <time.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms {

// no_new_privs, not dumpable (prctl(2): no core file, no ptrace, /proc/self owned by root), no core
// file (RLIMIT_CORE 0).
Status HardenSelf();

// The name that ps shows, at most 15 characters (PR_SET_NAME of prctl(2)). execveat(2) on a
// descriptor names a process after the descriptor's number.
Status NameProcess(const char* name);

// Soft and hard limit at once (setrlimit(2)).
Status LimitResource(__rlimit_resource resource, rlim_t value);

// Ignores SIGTERM, SIGINT, SIGHUP and SIGPIPE: systemd signals the whole group, and a child ends
// when its supervisor does.
Status IgnoreGroupSignals();

// Fails unless descriptors 0..`count`-1 are open: a fixed descriptor that is missing would be
// replaced by the first one that a library opens.
Status RequireOpenDescriptors(int count);

// Closes every descriptor from `first` up (close_range(2)).
Status CloseFrom(int first);

// Marks a descriptor close-on-exec.
Status SetCloseOnExec(int fd);

// A timer of the kernel that sends this process SIGKILL unless it is postponed in time: a child
// that hangs cannot outlive its supervisor, whatever its loop does (timer_create(2)).
class DeadMansTimer final {
 public:
  // Armed at once.
  static Result<DeadMansTimer> Create(std::int64_t seconds);

  DeadMansTimer(DeadMansTimer&& other) noexcept;
  DeadMansTimer& operator=(DeadMansTimer&&) = delete;
  DeadMansTimer(const DeadMansTimer&) = delete;
  DeadMansTimer& operator=(const DeadMansTimer&) = delete;
  ~DeadMansTimer() = default;  // the timer ends with the process, not before

  // Starts the waiting time anew.
  Status Postpone();

 private:
  DeadMansTimer(timer_t timer, std::int64_t seconds) : timer_(timer), seconds_(seconds) {}

  timer_t timer_;
  std::int64_t seconds_;
};

}  // namespace baokms
