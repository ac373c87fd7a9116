// A client certificate with its key, as presented on a connection. The key may be any key that
// OpenSSL can sign with, wherever it is stored.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace baokms::openbao {

class TlsIdentity final {
 public:
  enum class Versions : std::uint8_t { kAll, kTls12Only };

  struct Parts {
    std::shared_ptr<void> leaf;                // an X509
    std::vector<std::shared_ptr<void>> chain;  // X509s, from the leaf's issuer on
    std::shared_ptr<void> key;                 // the leaf's EVP_PKEY
    // Signature algorithms that the key supports, in the format of
    // SSL_CTX_set1_client_sigalgs_list(3); empty: all that are suitable for the key.
    std::string signature_algorithms;
    Versions versions = Versions::kAll;
  };

  explicit TlsIdentity(Parts parts) : parts_(std::move(parts)) {}

  // Makes `ssl_ctx` (an SSL_CTX) present this certificate when the server requests one. Returns
  // false when OpenSSL refuses a part.
  [[nodiscard]] bool InstallOn(void* ssl_ctx) const;

 private:
  Parts parts_;
};

}  // namespace baokms::openbao
