#include "authagent/pkcs11/pin.h"

#include <array>
#include <memory>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "common/base/deleter.h"
#include "common/base/safe_path.h"
#include "ipc/limits.h"

namespace baokms::authagent {
namespace {

constexpr std::size_t kSha256Size = 32;

bool EndsLine(std::uint8_t byte) {
  return byte == '\r' || byte == '\n';
}

std::span<const std::uint8_t> WithoutLineEnds(std::span<const std::uint8_t> line) {
  while (!line.empty() && EndsLine(line.back())) {
    line = line.first(line.size() - 1);
  }
  return line;
}

}  // namespace

SecretRead ReadPinFile(Literal key, const SecretPlace& place) {
  return ReadSecret(place, {.forbidden_bits = kForbiddenSecretBits, .max_size = kMaxPinFile},
                    {.key = key,
                     .strip = WithoutLineEnds,
                     .forbidden = [](auto byte) { return EndsLine(byte) || byte == '\0'; },
                     .problem = "has a NUL or more than one line",
                     .remedy = "write the PIN alone into it"});
}

Result<std::uint16_t> PinTag(std::span<const std::uint8_t> salt, const SecretBuffer& pin) {
  // Freeing the context wipes the data of the PIN in it.
  const std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  std::array<std::uint8_t, kSha256Size> digest{};
  const std::span<const std::uint8_t> secret = pin.Reveal();
  if (context == nullptr || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1 ||
      EVP_DigestUpdate(context.get(), salt.data(), salt.size()) != 1 ||
      EVP_DigestUpdate(context.get(), secret.data(), secret.size()) != 1 ||
      EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) != 1) {
    return Error(ErrorCode::kInternal, "SHA-256 of the PIN");
  }
  const auto tag = static_cast<std::uint16_t>((digest[0] << 8U) & ipc::kPinTagBits);
  OPENSSL_cleanse(digest.data(), digest.size());
  return tag;
}

}  // namespace baokms::authagent
