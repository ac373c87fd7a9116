// Hardening steps that the supervisor and its children apply to themselves before they process any
// input. System call filters are in seccomp_policy.h.

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

// Sets no_new_privs, makes the process not dumpable (prctl(2): no core file, no ptrace, /proc/self
// owned by root) and sets RLIMIT_CORE to 0.
Status HardenSelf();

// Returns whether other processes of the same user may open the memory of this one (prctl(2),
// PR_GET_DUMPABLE).
bool IsDumpable();

// Sets the name that ps shows, at most 15 characters (PR_SET_NAME of prctl(2)). Without it, a
// process started by execveat(2) is named after the number of the descriptor.
Status NameProcess(const char* name);

// Sets the soft and the hard limit (setrlimit(2)). A lower hard limit is kept.
Status LimitResource(__rlimit_resource resource, rlim_t value);

// Ignores SIGTERM, SIGINT, SIGHUP and SIGPIPE: systemd signals the whole process group, and a child
// exits when its supervisor does.
Status IgnoreGroupSignals();

// Gives each closed one of the descriptors 0, 1 and 2 a /dev/null that fails as a closed one does:
// it cannot be read from, or written to. Otherwise the first files that this process opens would
// take their numbers, and the log would be written into one of them.
Status OccupyStandardDescriptors();

// Fails unless descriptors 0..`count`-1 are open. Otherwise the first file that a library opens
// would take the number of the missing descriptor.
Status RequireOpenDescriptors(int count);

// Closes every descriptor from `first` upwards (close_range(2)).
Status CloseFrom(int first);

// Marks a descriptor close-on-exec.
Status SetCloseOnExec(int fd);

// A kernel timer that sends SIGKILL to this process unless it is postponed in time, so that a child
// that hangs cannot outlive its supervisor (timer_create(2)).
class DeadMansTimer final {
 public:
  // Creates the timer and arms it immediately.
  static Result<DeadMansTimer> Create(std::int64_t seconds);

  DeadMansTimer(DeadMansTimer&& other) noexcept;
  DeadMansTimer& operator=(DeadMansTimer&&) = delete;
  DeadMansTimer(const DeadMansTimer&) = delete;
  DeadMansTimer& operator=(const DeadMansTimer&) = delete;
  ~DeadMansTimer() = default;  // the timer must live as long as the process

  // Restarts the timer with its full duration.
  Status Postpone();

 private:
  DeadMansTimer(timer_t timer, std::int64_t seconds) : timer_(timer), seconds_(seconds) {}

  timer_t timer_;
  std::int64_t seconds_;
};

}  // namespace baokms
