#include "common/base/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>
#include <utility>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms {

Status HardenSelf() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return Error(ErrorCode::kSystem, "prctl(PR_SET_NO_NEW_PRIVS)", errno);
  }
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
    return Error(ErrorCode::kSystem, "prctl(PR_SET_DUMPABLE)", errno);
  }
  return LimitResource(RLIMIT_CORE, 0);
}

Status NameProcess(const char* name) {
  if (::prctl(PR_SET_NAME, name, 0, 0, 0) != 0) {
    return Error(ErrorCode::kSystem, "prctl(PR_SET_NAME)", errno);
  }
  return {};
}

Status LimitResource(__rlimit_resource resource, rlim_t value) {
  rlimit limit{};
  if (::getrlimit(resource, &limit) != 0) {
    return Error(ErrorCode::kSystem, "getrlimit", errno);
  }
  // Never raise the limit: a lower hard limit of the service stays in force.
  limit.rlim_max = value < limit.rlim_max ? value : limit.rlim_max;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(resource, &limit) != 0) {
    return Error(ErrorCode::kSystem, "setrlimit", errno);
  }
  return {};
}

Status IgnoreGroupSignals() {
  struct sigaction ignore {};

  ignore.sa_handler = SIG_IGN;
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) {
    if (::sigaction(signal, &ignore, nullptr) != 0) {
      return Error(ErrorCode::kSystem, "sigaction(ignore)", errno);
    }
  }
  return {};
}

Status RequireOpenDescriptors(int count) {
  for (int fd = 0; fd < count; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) {
      return Error(ErrorCode::kFailedPrecondition, "a fixed descriptor is missing", errno);
    }
  }
  return {};
}

Status CloseFrom(int first) {
  if (::close_range(static_cast<unsigned>(first), UINT_MAX, 0) != 0) {
    return Error(ErrorCode::kSystem, "close_range", errno);
  }
  return {};
}

Status SetCloseOnExec(int fd) {
  if (::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    return Error(ErrorCode::kSystem, "fcntl(F_SETFD)", errno);
  }
  return {};
}

Result<DeadMansTimer> DeadMansTimer::Create(std::int64_t seconds) {
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGKILL;
  timer_t timer{};
  if (::timer_create(CLOCK_BOOTTIME, &event, &timer) != 0) {
    return Error(ErrorCode::kSystem, "timer_create", errno);
  }
  DeadMansTimer created(timer, seconds);
  BAOKMS_TRY(created.Postpone());
  return created;
}

DeadMansTimer::DeadMansTimer(DeadMansTimer&& other) noexcept
    : timer_(other.timer_), seconds_(other.seconds_) {
}

Status DeadMansTimer::Postpone() {
  itimerspec when{};
  when.it_value.tv_sec = seconds_;
  if (::timer_settime(timer_, 0, &when, nullptr) != 0) {
    return Error(ErrorCode::kSystem, "timer_settime", errno);
  }
  return {};
}

}  // namespace baokms
