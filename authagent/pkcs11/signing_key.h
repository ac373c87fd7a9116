// A private key that signs and cannot be read: the interface between TLS and the module that holds
// the key. Tests implement it with keys of their own.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"

namespace baokms::authagent {

// In bytes. A signature of RSA-16384 is the longest possible.
inline constexpr std::size_t kMaxSignature = 2048;

enum class KeyKind : std::uint8_t { kRsa, kEc, kEd25519 };

enum class SignatureScheme : std::uint8_t {
  kRsaPkcs1,  // RFC 8017, section 8.2
  kRsaPss,    // RFC 8017, section 8.1; MGF1 and salt length by the digest, as TLS requires
  kEcdsa,     // FIPS 186-5; the signature is r and s, each as long as the group's order
  kEd25519,   // RFC 8032
};

// `pss` chooses between the two schemes of RSA.
constexpr SignatureScheme SchemeOf(KeyKind kind, bool pss) {
  switch (kind) {
    case KeyKind::kRsa:
      return pss ? SignatureScheme::kRsaPss : SignatureScheme::kRsaPkcs1;
    case KeyKind::kEc:
      return SignatureScheme::kEcdsa;
    case KeyKind::kEd25519:
      break;
  }
  return SignatureScheme::kEd25519;
}

enum class DigestKind : std::uint8_t { kSha256, kSha384, kSha512 };

struct SignatureRequest {
  SignatureScheme scheme = SignatureScheme::kEcdsa;
  DigestKind digest = DigestKind::kSha256;  // unused for Ed25519
  // The digest of the data to sign, for EC no longer than the order; for Ed25519 the data itself.
  std::span<const std::uint8_t> input;
};

class SigningKey {
 public:
  SigningKey() = default;
  SigningKey(const SigningKey&) = delete;
  SigningKey& operator=(const SigningKey&) = delete;
  virtual ~SigningKey() = default;

  // Returns the signature in PKCS#11's format. May take as long as its owner allows.
  virtual Result<std::vector<std::uint8_t>> Sign(const SignatureRequest& request) = 0;
};

}  // namespace baokms::authagent
