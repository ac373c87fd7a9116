// Which generation of the registry may follow which, when the state machine saves. Operator
// commands that retire and restore keys have rules of their own.

#pragma once

#include "common/base/result.h"
#include "common/contract/registry.h"

namespace baokms::contract {

// `to` may be saved over `from`: same configuration, newer and linked generation, active version
// not smaller, no key lost that data may be encrypted with, removed records as they were.
Status CheckTransition(const RegistryState& from, const RegistryState& to);

}  // namespace baokms::contract
