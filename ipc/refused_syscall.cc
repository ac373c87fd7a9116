#include "ipc/refused_syscall.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>

#include "common/base/error.h"
#include "ipc/child_descriptors.h"
#include "ipc/message_type.h"

namespace baokms::ipc {
namespace {

// A signal handler receives no arguments of ours, so these are the only variables of the project
// that main() does not own. The first one is written once, before the filter is installed.
volatile sig_atomic_t report_channel = -1;
// The call that ProveRefused() makes, until the filter has refused it.
volatile sig_atomic_t call_to_refuse = -1;

// Async-signal-safe (signal-safety(7)): encodes the message by hand and calls nothing that
// allocates or locks.
void Report(int /*signal*/, siginfo_t* info, void* /*context*/) {
  if (info->si_syscall == call_to_refuse) {
    call_to_refuse = -1;
    return;
  }
  const auto type = static_cast<std::uint16_t>(MessageType::kSyscallRefused);
  std::array<char, 16> bytes{};
  std::size_t size = 0;
  bytes[size++] = static_cast<char>(type & 0xffU);
  bytes[size++] = static_cast<char>(type >> 8U);
  bytes[size++] = 0x08;  // field 1, varint
  auto number = static_cast<std::uint32_t>(info->si_syscall);
  while (number >= 0x80U) {
    bytes[size++] = static_cast<char>(number | 0x80U);
    number >>= 7U;
  }
  bytes[size++] = static_cast<char>(number);
  (void)!::send(report_channel, bytes.data(), size, MSG_NOSIGNAL | MSG_DONTWAIT);
  ::_exit(static_cast<int>(ExitCode::kRefusedSyscall));
}

}  // namespace

Status ReportRefusedSyscalls(int supervisor_channel) {
  report_channel = supervisor_channel;

  struct sigaction action {};

  action.sa_sigaction = Report;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  return CheckSyscall(::sigaction(SIGSYS, &action, nullptr), "sigaction(SIGSYS)");
}

Result<std::uint32_t> ProveRefused(long number) {
  constexpr long kInvalid = -1;
  call_to_refuse = static_cast<sig_atomic_t>(number);
  (void)::syscall(number, kInvalid, kInvalid, kInvalid, kInvalid, kInvalid, kInvalid);
  if (call_to_refuse != -1) {
    call_to_refuse = -1;
    return Error(ErrorCode::kFailedPrecondition, "the system call filter is not in force");
  }
  return static_cast<std::uint32_t>(number);
}

}  // namespace baokms::ipc
