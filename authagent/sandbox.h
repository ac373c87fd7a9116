// The limits and the system call filters of the auth agent, as its set-up determines them.

#pragma once

#include <cstdint>
#include <string_view>

#include "common/base/landlock.h"
#include "common/base/result.h"
#include "common/base/seccomp_policy.h"
#include "ipc/child_process.h"
#include "proto/setup.pb.h"

namespace baokms::authagent {

// The name under which the agent reports the filter of EnterModuleSandbox().
inline constexpr const char* kModuleFilterName = "auth_agent_pkcs11";

[[nodiscard]] ipc::ChildLimits LimitsOf(const ipc::AgentSetup& setup);

// Leaves the agent only the directory of its credential, to read from, and no port. With a module,
// which reads where it likes, only its state directory can be changed, and what
// auth.cert.pkcs11.network allows is left. Call it before any thread exists. kInvalidArgument: the
// state directory cannot be opened.
Result<LandlockState> RestrictFiles(const ipc::AgentSetup& setup);

// Installs the filter for the start: the only one without a module, the first one with a module.
// Returns its name.
Result<std::string_view> EnterFirstFilter(const ipc::AgentSetup& setup);

// Returns the policy as data, so that a test can print it, compare it with a golden file and try to
// break it without confining itself.
Result<SeccompPolicy> BuildPolicy();

// Applies the policy to this process permanently. Call it before parsing the first byte from a
// channel.
Status EnterSandbox();

// A PKCS#11 module has two stages: a wide filter while the module is loaded and its session is
// opened, and a narrow one for the rest of the process's lifetime.
enum class ModuleStage : std::uint8_t { kLoading, kServing };

// Returns the policy of the thread that runs vendor code, as data.
Result<SeccompPolicy> BuildModulePolicy(const ipc::ModuleAccess& access, ModuleStage stage);

// Replaces EnterSandbox(): installs the first stage on all threads.
Status EnterLoadingSandbox(const ipc::ModuleAccess& access);

// Installs the second stage on all threads; the calling thread, which has the loop and the network,
// additionally gets BuildPolicy().
Status EnterModuleSandbox(const ipc::ModuleAccess& access);

}  // namespace baokms::authagent
