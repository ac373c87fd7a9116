// Says in plain words what a metadata read found that keeps the key from being used: for the log,
// /ready and the commands. Version numbers and fixed words only; never a key name, a path or a text
// of OpenBao. It decides nothing.

#pragma once

#include <string>

#include "common/contract/key_profile.h"
#include "common/contract/registry.h"
#include "supervisor/status/rotation_machine.h"

namespace baokms::supervisor {

// What `failure` of Observe() means for this registry and this metadata, and what to do.
std::string DescribeFinding(RotationFailure failure,
                            const contract::RegistryState& state,
                            const contract::TransitKeyMetadata& metadata);

// What is wrong with the key itself; empty when IsProfileValid().
std::string DescribeProfile(const contract::TransitKeyMetadata& metadata);

// The node has no registry and cannot make a first one of this metadata.
std::string DescribeMissingState(const contract::TransitKeyMetadata& metadata);

// The registry fills up (contract::kManyKeyRecords); empty while it does not.
std::string DescribeFilling(const contract::RegistryState& state);

// `min_encryption_version` is above the active version.
std::string DescribeBlockedEncryption(const contract::RegistryState& state,
                                      const contract::TransitKeyMetadata& metadata);

}  // namespace baokms::supervisor
