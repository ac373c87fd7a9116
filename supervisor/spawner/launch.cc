#include "supervisor/spawner/launch.h"

#include <sys/types.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstdlib>

#include <fcntl.h>

#include <string>

#include <unistd.h>

#include <vector>

#include "common/base/error.h"
#include "common/base/result.h"
#include "ipc/child_descriptors.h"

namespace baokms::supervisor {
namespace {

// Above every fixed number, so that moving one descriptor never overwrites another.
constexpr int kParking = 64;

[[noreturn]] void GiveUp() {
  ::_exit(static_cast<int>(ipc::ExitCode::kStartFailed));
}

int Park(int fd) {
  const int parked = ::fcntl(fd, F_DUPFD_CLOEXEC, kParking);
  if (parked < 0) {
    GiveUp();
  }
  return parked;
}

void Place(int parked, int target, int flags) {
  if (::dup3(parked, target, flags) < 0) {
    GiveUp();
  }
}

// Runs in the forked child: everything it needs was computed before the fork.
[[noreturn]] void Become(int program,
                         int null,
                         int* descriptors,
                         std::size_t count,
                         char* const* arguments,
                         char* const* environment) {
  sigset_t none;
  ::sigemptyset(&none);
  if (::sigprocmask(SIG_SETMASK, &none, nullptr) != 0) {
    GiveUp();
  }
  const int parked_program = Park(program);
  for (std::size_t i = 0; i < count; ++i) {
    descriptors[i] = Park(descriptors[i]);
  }
  const int parked_null = Park(null);
  for (int fd = 0; fd <= 2; ++fd) {
    Place(parked_null, fd, 0);
  }
  int next = ipc::kSupervisorChannel;
  for (std::size_t i = 0; i < count; ++i) {
    Place(descriptors[i], next++, 0);
  }
  Place(parked_program, next, O_CLOEXEC);
  if (::close_range(static_cast<unsigned>(next + 1), UINT_MAX, 0) != 0) {
    GiveUp();
  }
  (void)::execveat(next, "", arguments, environment, AT_EMPTY_PATH);
  GiveUp();
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) {
    pointers.push_back(text.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

std::vector<std::string> ChildEnvironment() {
  return {
      "GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.perturb=90:"
      "glibc.malloc.arena_max=1",
      "TZ=UTC0", "LC_ALL=C"};
}

Result<pid_t> Launch(const LaunchPlan& plan) {
  std::vector<std::string> arguments = {plan.name};
  std::vector<std::string> environment = plan.environment;
  std::vector<char*> argument_pointers = Pointers(arguments);
  std::vector<char*> environment_pointers = Pointers(environment);
  std::vector<int> descriptors = plan.descriptors;
  const pid_t child = ::fork();
  if (child < 0) {
    return Error(ErrorCode::kSystem, "fork", errno);
  }
  if (child == 0) {
    Become(plan.program, plan.null, descriptors.data(), descriptors.size(),
           argument_pointers.data(), environment_pointers.data());
  }
  return child;
}

}  // namespace baokms::supervisor
