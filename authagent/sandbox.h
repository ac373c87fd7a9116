// What the auth agent may ask of the kernel.

#pragma once

#include <cstdint>

#include "common/base/result.h"
#include "common/base/seccomp_policy.h"
#include "proto/setup.pb.h"

namespace baokms::authagent {

// The names that the agent reports for its filters.
inline constexpr const char* kFilterName = "auth_agent";
inline constexpr const char* kLoadingFilterName = "auth_agent_pkcs11_loading";
inline constexpr const char* kModuleFilterName = "auth_agent_pkcs11";

// The policy as data, so that a test can print it, freeze it and try to break it without this
// process confining itself.
Result<SeccompPolicy> BuildPolicy();

// Applies it to this process, for good. Call it before the first byte from a channel is parsed.
Status EnterSandbox();

// With a PKCS#11 module there are two stages: wide while the module is loaded and its session is
// opened, narrow for the rest of the process's life.
enum class ModuleStage : std::uint8_t { kLoading, kServing };

// What the thread of vendor code may ask of the kernel, as data.
Result<SeccompPolicy> BuildModulePolicy(const ipc::ModuleAccess& access, ModuleStage stage);

// In place of EnterSandbox(): the first stage, for all threads.
Status EnterLoadingSandbox(const ipc::ModuleAccess& access);

// The second stage, for all threads; the calling one, which has the loop and the network, gets
// BuildPolicy() on top.
Status EnterModuleSandbox(const ipc::ModuleAccess& access);

}  // namespace baokms::authagent
