// The two pieces of ASN.1 that signing through PKCS#11 needs. They are constants: nothing is
// parsed.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "authagent/pkcs11/signing_key.h"

namespace baokms::authagent {

// DER of DigestInfo, which CKM_RSA_PKCS pads and signs (RFC 8017, section 9.2, note 1).
[[nodiscard]] std::vector<std::uint8_t> DigestInfo(DigestKind kind,
                                                   std::span<const std::uint8_t> digest);

// Bytes of the order of the curve that CKA_EC_PARAMS names; 0: none of P-256, P-384, P-521.
[[nodiscard]] std::size_t OrderSize(std::span<const std::uint8_t> ec_params);

}  // namespace baokms::authagent
