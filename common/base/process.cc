#include "common/base/process.h"

#include <sys/prctl.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <utility>

#include "common/base/error.h"
#include "common/base/sanitizer_needs.h"

namespace baokms {
Status HardenSelf() {
  BAOKMS_TRY(CheckSyscall(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl(PR_SET_NO_NEW_PRIVS)"));
  BAOKMS_TRY(CheckSyscall(::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl(PR_SET_DUMPABLE)"));
  return LimitResource(RLIMIT_CORE, 0);
}

bool IsDumpable() {
  return ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1;  // 2: by root alone
}

Status NameProcess(const char* name) {
  return CheckSyscall(::prctl(PR_SET_NAME, name, 0, 0, 0), "prctl(PR_SET_NAME)");
}

Status LimitResource(__rlimit_resource resource, rlim_t value) {
  if (kSanitized &&
      (resource == RLIMIT_DATA || resource == RLIMIT_AS || resource == RLIMIT_FSIZE)) {
    return {};
  }
  rlimit limit{};
  BAOKMS_TRY(CheckSyscall(::getrlimit(resource, &limit), "getrlimit"));
  // Never raise the limit: a lower hard limit of the service stays in force.
  limit.rlim_max = value < limit.rlim_max ? value : limit.rlim_max;
  limit.rlim_cur = limit.rlim_max;
  return CheckSyscall(::setrlimit(resource, &limit), "setrlimit");
}

Status IgnoreGroupSignals() {
  struct sigaction ignore {};

  ignore.sa_handler = SIG_IGN;
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) {
    BAOKMS_TRY(CheckSyscall(::sigaction(signal, &ignore, nullptr), "sigaction(ignore)"));
  }
  return {};
}

Status OccupyStandardDescriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // open(2) returns the lowest number that is free, which is this one.
    if (::fcntl(fd, F_GETFD) < 0 &&
        ::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) {
      return Error(ErrorCode::kSystem, "open of /dev/null", errno);
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
  return CheckSyscall(::close_range(static_cast<unsigned>(first), UINT_MAX, 0), "close_range");
}

Status SetCloseOnExec(int fd) {
  return CheckSyscall(::fcntl(fd, F_SETFD, FD_CLOEXEC), "fcntl(F_SETFD)");
}

Result<DeadMansTimer> DeadMansTimer::Create(std::int64_t seconds) {
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGKILL;
  timer_t timer{};
  BAOKMS_TRY(CheckSyscall(::timer_create(CLOCK_BOOTTIME, &event, &timer), "timer_create"));
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
  return CheckSyscall(::timer_settime(timer_, 0, &when, nullptr), "timer_settime");
}

}  // namespace baokms
