// A client certificate with its key, as a connection shows it. The key may be anything that OpenSSL
// can sign with; this does not know where it lives.

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
    // Signature algorithms that the key can do, as SSL_CTX_set1_client_sigalgs_list(3) takes them;
    // empty: all that fit the key.
    std::string signature_algorithms;
    Versions versions = Versions::kAll;
  };

  explicit TlsIdentity(Parts parts) : parts_(std::move(parts)) {}

  // Makes `ssl_ctx` (an SSL_CTX) show this certificate when it is asked for one. False when OpenSSL
  // refuses a part.
  [[nodiscard]] bool InstallOn(void* ssl_ctx) const;

 private:
  Parts parts_;
};

}  // namespace baokms::openbao
