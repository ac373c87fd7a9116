// A private key in memory behind the interface of one in a module: signs with OpenSSL what a module
// would, in the form in which a module would.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "authagent/pkcs11/provider_key.h"
#include "authagent/pkcs11/signing_key.h"
#include "common/base/result.h"

namespace baokms::authagent {

class SoftwareKey final : public SigningKey {
 public:
  // `type` is "RSA" with `detail` its bits, "EC" with its group, or "ED25519" with nothing. Because
  // RSA keys take seconds to generate, the same arguments give the same pair; another `number`
  // gives another pair.
  explicit SoftwareKey(const char* type, const char* detail = "", int number = 0);

  // Only the public half, as a certificate has it.
  [[nodiscard]] EvpKey PublicKey() const;

  // Both halves.
  [[nodiscard]] EVP_PKEY& pair() const { return *pair_; }

  Result<std::vector<std::uint8_t>> Sign(const SignatureRequest& request) override;

  std::optional<Error> failure;          // the answer to the next signatures
  std::vector<SignatureScheme> schemes;  // of the signatures so far

 private:
  EvpKey pair_;
};

struct CertificateTraits {
  std::int64_t begins_in_s = -86'400;
  std::int64_t ends_in_s = 7 * 86'400;
  const char* extended_key_usage = "clientAuth";  // null: no such extension
  const char* key_usage = "digitalSignature";     // null: no such extension
  const EVP_MD* digest = EVP_sha256();            // null for a signer that hashes itself
};

// A certificate for `subject_key`, signed by `issuer`.
std::shared_ptr<X509> MakeCertificate(EVP_PKEY& subject_key,
                                      EVP_PKEY& issuer,
                                      const CertificateTraits& traits);

std::string ToPem(X509& certificate);

}  // namespace baokms::authagent
