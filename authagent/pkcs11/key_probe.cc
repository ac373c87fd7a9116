#include "authagent/pkcs11/key_probe.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <openssl/err.h>
#include <openssl/rsa.h>

#include "authagent/pkcs11/provider_key.h"
#include "common/base/deleter.h"
#include "common/base/error.h"

namespace baokms::authagent {
namespace {

constexpr std::string_view kText = "openbao-kubernetes-kms/cert-signer-probe/v1";

using DigestContext = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;

const std::uint8_t* TextBytes() {
  return reinterpret_cast<const std::uint8_t*>(kText.data());
}

bool SetPadding(EVP_PKEY_CTX* context, const HsmKeyFacts& facts) {
  return facts.kind != KeyKind::kRsa || !facts.rsa_pss ||
         (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
          EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1);
}

const char* DigestOf(const HsmKeyFacts& facts) {
  return facts.kind == KeyKind::kEd25519 ? nullptr : "SHA256";
}

std::optional<std::vector<std::uint8_t>> SignText(EVP_PKEY& key, const HsmKeyFacts& facts) {
  const DigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;
  std::vector<std::uint8_t> signature(kMaxSignature);
  std::size_t size = signature.size();
  if (context == nullptr ||
      EVP_DigestSignInit_ex(context.get(), &options, DigestOf(facts), nullptr, nullptr, &key,
                            nullptr) != 1 ||
      !SetPadding(options, facts) ||
      EVP_DigestSign(context.get(), signature.data(), &size, TextBytes(), kText.size()) != 1) {
    return std::nullopt;
  }
  signature.resize(size);
  return signature;
}

bool VerifyText(EVP_PKEY& key,
                const HsmKeyFacts& facts,
                const std::vector<std::uint8_t>& signature) {
  const DigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;
  return context != nullptr &&
         EVP_DigestVerifyInit_ex(context.get(), &options, DigestOf(facts), nullptr, nullptr, &key,
                                 nullptr) == 1 &&
         SetPadding(options, facts) &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(), TextBytes(),
                          kText.size()) == 1;
}

// Records why a signature failed, because OpenSSL discards the reason.
class RememberingKey final : public SigningKey {
 public:
  explicit RememberingKey(SigningKey& inner) : inner_(inner) {}

  Result<std::vector<std::uint8_t>> Sign(const SignatureRequest& request) override {
    Result<std::vector<std::uint8_t>> signature = inner_.Sign(request);
    if (!signature) {
      error_ = signature.error();
    }
    return signature;
  }

  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  SigningKey& inner_;
  std::optional<Error> error_;
};

}  // namespace

Status ProbeKey(EVP_PKEY& public_key, SigningKey& signer, const HsmKeyFacts& facts) {
  if (BAOKMS_TRY(KindOf(public_key)) != facts.kind) {
    return Error(ErrorCode::kFailedPrecondition,
                 "the private key is of another type than the key of the certificate");
  }
  RememberingKey remembering(signer);
  const EvpKey key = BAOKMS_TRY(MakeProviderKey(public_key, remembering));
  const auto signature = SignText(*key, facts);
  const bool good = signature && VerifyText(public_key, facts, *signature);
  ERR_clear_error();
  if (remembering.error()) {
    return *remembering.error();
  }
  if (!good) {
    return Error(ErrorCode::kFailedPrecondition,
                 "the private key does not belong to the certificate");
  }
  return {};
}

Status WarmUpKey(SigningKey& signer, const HsmKeyFacts& facts) {
  std::array<std::uint8_t, 32> digest{};
  if (EVP_Digest(kText.data(), kText.size(), digest.data(), nullptr, EVP_sha256(), nullptr) != 1) {
    return Error(ErrorCode::kInternal, "SHA-256");
  }
  (void)BAOKMS_TRY(
      signer.Sign({.scheme = SchemeOf(facts.kind, facts.rsa_pss), .digest = {}, .input = digest}));
  return {};
}

}  // namespace baokms::authagent
