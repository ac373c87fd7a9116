// The additional authenticated data that binds a ciphertext to its key, cluster and purpose. It is
// mandatory, and no part of it comes from a request.

#pragma once

#include <string>
#include <string_view>

#include "common/contract/key_binding.h"

namespace baokms::contract {

// The background probe authenticates this text instead, so its ciphertexts can never be mistaken
// for data of the cluster.
inline constexpr std::string_view kStatusProbeAad = "openbao-kubernetes-kms/status-probe/v1";

// Base64 of kStatusProbeAad, as Transit requires it.
inline constexpr std::string_view kStatusProbeAssociatedData =
    "b3BlbmJhby1rdWJlcm5ldGVzLWttcy9zdGF0dXMtcHJvYmUvdjE=";

// Returns the canonical bytes: compact Go JSON in the order of the contract.
std::string CanonicalAad(const KeyBinding& key);

// Returns base64 of the canonical bytes: Transit's `associated_data`.
std::string AssociatedData(const KeyBinding& key);

}  // namespace baokms::contract
