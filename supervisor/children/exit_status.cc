#include "supervisor/children/exit_status.h"

#include <sys/wait.h>
#include <seccomp.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "ipc/child_descriptors.h"

namespace baokms::supervisor {
namespace {

struct FreeText {
  // libseccomp allocates the name with malloc(3) and leaves freeing it to the caller.
  void operator()(char* text) const { std::free(text); }  // NOLINT(cppcoreguidelines-no-malloc)
};

std::string SyscallName(std::uint32_t number) {
  const std::unique_ptr<char, FreeText> name(
      ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, static_cast<int>(number)));
  return name == nullptr ? "unknown" : name.get();
}

std::string SignalWord(int signal) {
  switch (signal) {
    case SIGKILL:
      return "sigkill";
    case SIGSEGV:
      return "sigsegv";
    case SIGABRT:
      return "sigabrt";
    case SIGBUS:
      return "sigbus";
    case SIGSYS:
      return "sigsys";
    default:
      return "signal_" + std::to_string(signal);
  }
}

}  // namespace

ExitStatus ExitStatusOf(int wait_status, std::optional<std::uint32_t> refused_syscall) {
  ExitStatus status;
  if (WIFSIGNALED(wait_status)) {
    status.code = WTERMSIG(wait_status);
    status.kind = status.code == SIGKILL ? ExitStatus::Kind::kKilled : ExitStatus::Kind::kCrashed;
    return status;
  }
  status.code = WEXITSTATUS(wait_status);
  // The report alone proves nothing: a child could send it and continue to run.
  if (status.code == static_cast<int>(ipc::ExitCode::kRefusedSyscall)) {
    status.kind = ExitStatus::Kind::kRefusedSyscall;
    status.syscall = refused_syscall ? SyscallName(*refused_syscall) : "unknown";
  }
  return status;
}

std::string CauseOf(const ExitStatus& status) {
  switch (status.kind) {
    case ExitStatus::Kind::kExited:
      return "exit_" + std::to_string(status.code);
    case ExitStatus::Kind::kKilled:
    case ExitStatus::Kind::kCrashed:
      return SignalWord(status.code);
    case ExitStatus::Kind::kRefusedSyscall:
      return "syscall_" + status.syscall;
    case ExitStatus::Kind::kNotStarted:
      return "not_started";
  }
  return "unknown";
}

}  // namespace baokms::supervisor
