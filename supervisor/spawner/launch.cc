#include "supervisor/spawner/launch.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <system_error>

#include "common/base/error.h"
#include "common/base/safe_path.h"
#include "ipc/child_descriptors.h"
#include "ipc/child_session.h"

namespace baokms::supervisor {
namespace {

// Above every fixed number, so that moving one descriptor never overwrites another.
constexpr int kParking = 64;

// The forked process while it becomes the child, and how it reports a step that fails.
class Transition final {
 public:
  explicit Transition(int channel) : channel_(channel) {}

  // Records the current number of the child's channel to the supervisor.
  void Moved(int channel) { channel_ = channel; }

  // Sending allocates memory, which glibc permits after fork(2) whatever other threads were doing.
  [[noreturn]] void GiveUp(const Error& why) const {
    ipc::SendStartFailure(channel_, why);
    ::_exit(static_cast<int>(ipc::ExitCode::kStartFailed));
  }

  [[noreturn]] void GiveUp(Literal step) const { GiveUp(Error(ErrorCode::kSystem, step, errno)); }

  void Require(const Status& step) const {
    if (!step) {
      GiveUp(step.error());
    }
  }

  [[nodiscard]] int Park(int fd) const {
    const int parked = ::fcntl(fd, F_DUPFD_CLOEXEC, kParking);
    if (parked < 0) {
      GiveUp("fcntl(F_DUPFD_CLOEXEC) before exec");
    }
    return parked;
  }

  void DuplicateTo(int parked, int target, int flags) const {
    if (::dup3(parked, target, flags) < 0) {
      GiveUp("dup3 before exec");
    }
  }

 private:
  int channel_;
};

// Leaves nothing of the spawner's privileges. The groups come first, because changing them needs a
// capability.
Status LeavePrivileges(const UserIds& user, bool keep_groups) {
  if (!keep_groups) {
    BAOKMS_TRY(SetGroups({}));
  }
  BAOKMS_TRY(BecomeUser(user));
  return ClearCapabilities();
}

// What systemd hands over belongs to root or this user.
int OpenCredential(const LaunchPlan& plan) {
  Opened file = OpenFileByRules(plan.credential, {.forbidden_bits = kForbiddenSecretBits,
                                                  .max_size = std::numeric_limits<off_t>::max(),
                                                  .own_user = ::geteuid()});
  return file.refusal ? plan.null : file.fd.release();
}

// Runs in the forked child: everything it needs was computed before the fork.
[[noreturn]] void Become(const LaunchPlan& plan,
                         int* descriptors,
                         std::size_t count,
                         char* const* arguments,
                         char* const* environment) {
  Transition child(count == 0 ? -1 : descriptors[0]);
  if (!plan.credential.empty()) {
    descriptors[count - 1] = OpenCredential(plan);
  }
  if (plan.user) {
    child.Require(LeavePrivileges(*plan.user, plan.keep_groups));
  }
  sigset_t none;
  ::sigemptyset(&none);
  if (::sigprocmask(SIG_SETMASK, &none, nullptr) != 0) {
    child.GiveUp("sigprocmask before exec");
  }
  const int parked_program = child.Park(plan.program);
  for (std::size_t i = 0; i < count; ++i) {
    descriptors[i] = child.Park(descriptors[i]);
  }
  child.Moved(count == 0 ? -1 : descriptors[0]);
  const int parked_null = child.Park(plan.null);
  for (int fd = 0; fd <= 2; ++fd) {
    child.DuplicateTo(parked_null, fd, 0);
  }
  int next = ipc::kSupervisorChannel;
  for (std::size_t i = 0; i < count; ++i) {
    child.DuplicateTo(descriptors[i], next++, 0);
  }
  child.Moved(ipc::kSupervisorChannel);
  child.DuplicateTo(parked_program, next, O_CLOEXEC);
  if (::close_range(static_cast<unsigned>(next + 1), UINT_MAX, 0) != 0) {
    child.GiveUp("close_range before exec");
  }
  (void)::execveat(next, "", arguments, environment, AT_EMPTY_PATH);
  child.GiveUp("execveat of the child's program");
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

Result<std::string> OwnDirectory() {
  std::error_code failure;
  const auto own = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) {
    return Error(ErrorCode::kSystem, "readlink /proc/self/exe", failure.value());
  }
  return own.parent_path().string() + "/";
}

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
  if (!plan.credential.empty()) {
    descriptors.push_back(plan.null);
  }
  const pid_t child = ::fork();
  if (child < 0) {
    return Error(ErrorCode::kSystem, "fork", errno);
  }
  if (child == 0) {
    Become(plan, descriptors.data(), descriptors.size(), argument_pointers.data(),
           environment_pointers.data());
  }
  return child;
}

}  // namespace baokms::supervisor
