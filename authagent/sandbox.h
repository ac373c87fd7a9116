// The system call filters of the auth agent.

#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/base/seccomp_policy.h"
#include "proto/setup.pb.h"

namespace baokms::authagent {

// The names under which the agent reports its filters.
inline constexpr const char* kFilterName = "auth_agent";
inline constexpr const char* kLoadingFilterName = "auth_agent_pkcs11_loading";
inline constexpr const char* kModuleFilterName = "auth_agent_pkcs11";

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
