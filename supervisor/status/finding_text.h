// Describes what a metadata read found that keeps the key from being used: for the log, /ready and
// the commands. Contains version numbers and fixed texts only; never a key name, a path or a text
// from OpenBao. It decides nothing.

#pragma once

#include <string>

#include "common/contract/key_profile.h"
#include "common/contract/registry.h"
#include "supervisor/status/rotation_machine.h"

namespace baokms::supervisor {

// Explains what `failure` of Observe() means for this registry and this metadata, and what to do.
std::string DescribeFinding(RotationFailure failure,
                            const contract::RegistryState& state,
                            const contract::TransitKeyMetadata& metadata);

// Describes what is wrong with the key itself; empty if IsProfileValid().
std::string DescribeProfile(const contract::TransitKeyMetadata& metadata);

// Explains that the node has no registry and cannot create one from this metadata.
std::string DescribeMissingState(const contract::TransitKeyMetadata& metadata);

// Warns that the registry fills up (contract::kManyKeyRecords); empty below that number.
std::string DescribeFilling(const contract::RegistryState& state);

// Explains that `min_encryption_version` is above the active version.
std::string DescribeBlockedEncryption(const contract::RegistryState& state,
                                      const contract::TransitKeyMetadata& metadata);

}  // namespace baokms::supervisor
