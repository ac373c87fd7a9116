// The additional authenticated data that binds a ciphertext to its key, cluster and purpose. There
// is no mode without it. Nothing from a request goes into it.

#pragma once

#include <string>
#include <string_view>

#include "common/contract/key_binding.h"

namespace baokms::contract {

// The probe that runs in the background authenticates this text instead, so that its ciphertexts
// can never pass for data of the cluster.
inline constexpr std::string_view kStatusProbeAad = "openbao-kubernetes-kms/status-probe/v1";

// Base64 of kStatusProbeAad, as Transit wants it.
inline constexpr std::string_view kStatusProbeAssociatedData =
    "b3BlbmJhby1rdWJlcm5ldGVzLWttcy9zdGF0dXMtcHJvYmUvdjE=";

// The canonical bytes: compact Go JSON in the order of the contract.
std::string CanonicalAad(const KeyBinding& key);

// Base64 of the canonical bytes: Transit's `associated_data`.
std::string AssociatedData(const KeyBinding& key);

}  // namespace baokms::contract
