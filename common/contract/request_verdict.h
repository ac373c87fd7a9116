// The result of checking a KMS request. The supervisor translates it into a gRPC code and text; no
// other information about the cause may reach the client.

#pragma once

#include <cstdint>

namespace baokms::contract {

enum class RequestVerdict : std::uint8_t {
  kAccepted,
  kInvalid,   // malformed: "annotations invalid"
  kMismatch,  // well formed, but not for this key: "annotations do not match key snapshot"
  kLimit,     // larger than the protocol allows: "kms request exceeds protocol limits"
};

}  // namespace baokms::contract
