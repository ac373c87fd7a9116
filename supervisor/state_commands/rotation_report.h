// Builds the reports of rotation-plan and verify-rotation from the registry on disk and the
// metadata in OpenBao. Pure functions: they read no file, send nothing and change nothing.

#pragma once

#include <cstdint>
#include <string>

#include "common/contract/identity.h"
#include "common/contract/key_profile.h"
#include "common/contract/registry.h"
#include "supervisor/registry/local_registry.h"
#include "supervisor/state_commands/command_report.h"
#include "supervisor/state_commands/live_key.h"
#include "supervisor/status/rotation_machine.h"

namespace baokms::supervisor {

struct RotationInputs {
  const LocalRegistry& local;
  const LiveKey& live;
  const contract::ConfigIdentity& identity;
  RotationPolicy policy;
  std::int64_t now_unix = 0;
};

// Returns the report `name` with everything except confidence and limitations. The failure is the
// first that applies of: unusable files, unreadable metadata, no registry and none that could be
// created, metadata that the provider would reject.
CommandResult ReportRotation(std::string name, const RotationInputs& inputs);

// Returns why the provider would reject this metadata for this registry; empty if it would not.
std::string FindLiveProblem(const contract::RegistryState& state,
                            const contract::TransitKeyMetadata& metadata,
                            const contract::ConfigIdentity& identity,
                            std::int64_t now_unix);

// Returns for example "2026-01-02T03:04:05Z".
std::string UtcText(std::int64_t unix_seconds);

// Returns H() of the contract over a key_id: the only form in which reports show one.
std::string KeyIdHash(const contract::KeyRecord& record);

}  // namespace baokms::supervisor
