#include "authagent/pkcs11/digest_info.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "authagent/pkcs11/signing_key.h"

namespace baokms::authagent {
namespace {

constexpr std::size_t kPrefixSize = 19;

// SEQUENCE { SEQUENCE { OID 2.16.840.1.101.3.4.2.<algorithm>, NULL }, OCTET STRING of <size> }
constexpr std::array<std::uint8_t, kPrefixSize> Prefix(std::uint8_t algorithm, std::uint8_t size) {
  return {0x30,      static_cast<std::uint8_t>(kPrefixSize - 2 + size),
          0x30,      0x0d,
          0x06,      0x09,
          0x60,      0x86,
          0x48,      0x01,
          0x65,      0x03,
          0x04,      0x02,
          algorithm, 0x05,
          0x00,      0x04,
          size};
}

std::array<std::uint8_t, kPrefixSize> PrefixOf(DigestKind kind) {
  switch (kind) {
    case DigestKind::kSha384:
      return Prefix(0x02, 48);
    case DigestKind::kSha512:
      return Prefix(0x03, 64);
    case DigestKind::kSha256:
      break;
  }
  return Prefix(0x01, 32);
}

}  // namespace

std::vector<std::uint8_t> DigestInfo(DigestKind kind, std::span<const std::uint8_t> digest) {
  const auto prefix = PrefixOf(kind);
  std::vector<std::uint8_t> info(prefix.size() + digest.size());
  std::ranges::copy(digest, std::ranges::copy(prefix, info.begin()).out);
  return info;
}

}  // namespace baokms::authagent
