// The numbers of the descriptors that each child inherits, and the exit codes it may use. Every
// other descriptor is closed before its program starts.

#pragma once

#include <cstdint>

namespace baokms::ipc {

// 0, 1 and 2 are /dev/null.
inline constexpr int kSupervisorChannel = 3;
inline constexpr int kSetupDescriptor = 4;  // sealed memfd (ipc/sealed.h)

// Worker and agent: from the spawner, which sends the channels between them (PeerChannel).
inline constexpr int kSpawnerChannel = 5;
inline constexpr int kChildDescriptors = 6;

// Only the agent, and only with AgentSetup.credential_opened: its credential, open for reading, or
// /dev/null if the spawner may not open it.
inline constexpr int kCredentialDescriptor = 6;

// Used by the spawner itself.
inline constexpr int kWorkerSetupDescriptor = 5;
inline constexpr int kAgentSetupDescriptor = 6;
inline constexpr int kWorkerProgramDescriptor = 7;
inline constexpr int kAgentProgramDescriptor = 8;
inline constexpr int kSpawnerDescriptors = 9;

// Maximum number of worker slots (isolation.workers): each holds a token and about 5 MB.
inline constexpr std::uint32_t kMaxWorkers = 16;

// The exit codes with which a child reports why it ended.
enum class ExitCode : int {
  kSupervisorGone = 0,   // end of file on the channel: the regular end
  kStartFailed = 70,     // before the filter was installed; the log has the reason
  kPeerViolation = 71,   // a peer violated the protocol
  kLoopFailed = 72,      // epoll or the channel failed
  kModuleFailed = 73,    // the PKCS#11 module returned an unrecoverable error
  kModuleHung = 74,      // a call into the PKCS#11 module did not return
  kRefusedSyscall = 97,  // reserved for the filter's handler (ipc/refused_syscall.h)
};

}  // namespace baokms::ipc
