// What rotation-plan and verify-rotation say, from what is on disk and what OpenBao shows. Pure: it
// reads no file, asks nobody and changes nothing.

#pragma once

#include <cstdint>
#include <string>

#include "common/contract/identity.h"
#include "common/contract/key_profile.h"
#include "common/contract/registry.h"
#include "supervisor/state_commands/command_result.h"
#include "supervisor/state_commands/live_key.h"
#include "supervisor/state_commands/local_registry.h"
#include "supervisor/status/rotation_machine.h"

namespace baokms::supervisor {

struct RotationInputs {
  const LocalRegistry& local;
  const LiveKey& live;
  const contract::ConfigIdentity& identity;
  RotationPolicy policy;
  std::int64_t now_unix = 0;
};

// The report `name` with everything but confidence and limitations. The failure names the first of:
// unusable files, unreadable metadata, no registry and none to be made, metadata that the provider
// would refuse.
CommandResult ReportRotation(std::string name, const RotationInputs& inputs);

// Why the provider would refuse this metadata for this registry; empty when it would not.
std::string FindLiveProblem(const contract::RegistryState& state,
                            const contract::TransitKeyMetadata& metadata,
                            const contract::ConfigIdentity& identity,
                            std::int64_t now_unix);

// "2026-01-02T03:04:05Z".
std::string UtcText(std::int64_t unix_seconds);

// H() of the contract over a key_id: the only form in which reports show one.
std::string KeyIdHash(const contract::KeyRecord& record);

}  // namespace baokms::supervisor
