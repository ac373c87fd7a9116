// The transitions between generations of the registry that the state machine may save. Operator
// commands that retire and restore keys have their own rules.

#pragma once

#include "common/base/result.h"
#include "common/contract/registry.h"

namespace baokms::contract {

// Checks that `to` may be saved over `from`: same configuration, newer and linked generation,
// active version not smaller, no key lost that may have encrypted data, removed records unchanged.
Status CheckTransition(const RegistryState& from, const RegistryState& to);

}  // namespace baokms::contract
