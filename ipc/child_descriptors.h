// The descriptors every child of ours is born with, by number, and the exit codes it may end with.
// Everything else is closed before its program starts.

#pragma once

#include <cstdint>

namespace baokms::ipc {

// 0, 1 and 2 are /dev/null.
inline constexpr int kSupervisorChannel = 3;
inline constexpr int kSetupDescriptor = 4;  // sealed memfd (ipc/sealed.h)

// Worker: its end of the pair with the agent. Agent: the first of its ends, one per worker slot.
inline constexpr int kFirstPeerChannel = 5;

// The spawner, in place of a peer channel.
inline constexpr int kWorkerSetupDescriptor = 5;
inline constexpr int kAgentSetupDescriptor = 6;
inline constexpr int kWorkerProgramDescriptor = 7;
inline constexpr int kAgentProgramDescriptor = 8;
inline constexpr int kSpawnerDescriptors = 9;

// Worker slots at most (isolation.workers): each holds a token and about 5 MB.
inline constexpr std::uint32_t kMaxWorkers = 16;

// How a child says why it ended.
enum class ExitCode : int {
  kSupervisorGone = 0,   // end of file on the channel: the ordinary end
  kStartFailed = 70,     // before the filter; the reason is in the log
  kPeerBreach = 71,      // a peer broke the protocol
  kLoopFailed = 72,      // epoll or the channel failed
  kModuleFailed = 73,    // the PKCS#11 module gave an error that it does not recover from
  kModuleHung = 74,      // a call into the PKCS#11 module did not come back
  kRefusedSyscall = 97,  // reserved for the filter's handler (ipc/refused_syscall.h)
};

}  // namespace baokms::ipc
