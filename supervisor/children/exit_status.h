// Why a child exited, in the terms that metrics, logs and the replay rules share.

#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace baokms::supervisor {

struct ExitStatus {
  enum class Kind : std::uint8_t {
    kExited,          // with a code of ipc::ExitCode or its own
    kKilled,          // SIGKILL: by the supervisor, by the OOM killer or by its own timer
    kCrashed,         // SIGSEGV, SIGABRT, SIGBUS, SIGSYS or another fatal signal
    kRefusedSyscall,  // its filter refused a system call
    kNotStarted,      // the spawner could not start it
  };
  Kind kind = Kind::kExited;
  int code = 0;         // exit code or signal number
  std::string syscall;  // name of the system call, for kRefusedSyscall
};

// Interprets a waitpid(2) status. `refused_syscall` is the number that the child reported, if it
// did.
[[nodiscard]] ExitStatus ExitStatusOf(int wait_status,
                                      std::optional<std::uint32_t> refused_syscall);

// Returns the label for metrics: "exit_71", "sigkill", "sigsegv", "syscall_openat", "not_started".
[[nodiscard]] std::string CauseOf(const ExitStatus& status);

}  // namespace baokms::supervisor
