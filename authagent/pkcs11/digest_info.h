// The only ASN.1 structure that signing through PKCS#11 needs. It is a constant; nothing is parsed.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "authagent/pkcs11/signing_key.h"

namespace baokms::authagent {

// Returns the DER encoding of DigestInfo, which CKM_RSA_PKCS pads and signs (RFC 8017, section 9.2,
// note 1).
[[nodiscard]] std::vector<std::uint8_t> DigestInfo(DigestKind kind,
                                                   std::span<const std::uint8_t> digest);

}  // namespace baokms::authagent
