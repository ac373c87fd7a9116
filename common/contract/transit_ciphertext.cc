#include "common/contract/transit_ciphertext.h"

#include <array>
#include <string>

#include "common/contract/encoding.h"
#include "common/contract/limits.h"

namespace baokms::contract {
namespace {

constexpr std::string_view kPrefix = "vault:v";
constexpr std::size_t kGcmOverhead = kGcmNonceBytes + kGcmTagBytes;

constexpr Error Malformed() {
  return Error(ErrorCode::kInvalidArgument, "transit ciphertext is malformed");
}

}  // namespace

Result<std::int64_t> ParseCiphertextVersion(std::string_view ciphertext) {
  if (ciphertext.size() > kMaxCiphertextBytes || !ciphertext.starts_with(kPrefix)) {
    return Malformed();
  }
  ciphertext.remove_prefix(kPrefix.size());
  const std::size_t colon = ciphertext.find(':');
  if (colon == std::string_view::npos) {
    return Malformed();
  }
  const std::int64_t version = BAOKMS_TRY(ParsePositiveDecimal(ciphertext.substr(0, colon)));
  std::array<std::uint8_t, kMaxCiphertextBytes> sealed{};
  const std::size_t size = BAOKMS_TRY(DecodeBase64Into(ciphertext.substr(colon + 1), sealed));
  if (size <= kGcmOverhead) {
    return Malformed();
  }
  return version;
}

RequestVerdict CheckCiphertext(std::string_view ciphertext, std::int64_t version) {
  if (ciphertext.size() > kMaxCiphertextBytes) {
    return RequestVerdict::kLimit;
  }
  const Result<std::int64_t> found = ParseCiphertextVersion(ciphertext);
  return found && *found == version ? RequestVerdict::kAccepted : RequestVerdict::kMismatch;
}

std::size_t MaxPlaintextBytes(std::int64_t version) {
  const std::size_t head = kPrefix.size() + std::to_string(version).size() + 1;
  return (kMaxCiphertextBytes - head) / 4 * 3 - kGcmOverhead;
}

}  // namespace baokms::contract
