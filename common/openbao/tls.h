// The TLS side of a connection: the certificates that it trusts and presents, and the alert with
// which a server ended it. Nothing here reads a configuration file, a default directory or the
// environment.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace baokms::openbao {

// The trusted certificates, parsed once and shared by all connections.
class TlsRoots final {
 public:
  // Parses a bundle. Fails when `pem` holds no certificate or an unreadable one.
  static Result<TlsRoots> Parse(std::string_view pem);

  // Makes `ssl_ctx` (an SSL_CTX) trust these certificates and no others.
  void InstallOn(void* ssl_ctx) const;

 private:
  explicit TlsRoots(std::shared_ptr<void> store) : store_(std::move(store)) {}

  std::shared_ptr<void> store_;  // an X509_STORE
};

// A client certificate with its key, as presented on a connection. The key may be any key that
// OpenSSL can sign with, wherever it is stored.
struct TlsIdentity {
  enum class Versions : std::uint8_t { kAll, kTls12Only };

  std::shared_ptr<void> leaf;                // an X509
  std::vector<std::shared_ptr<void>> chain;  // X509s, from the leaf's issuer on
  std::shared_ptr<void> key;                 // the leaf's EVP_PKEY
  // Signature algorithms that the key supports, in the format of
  // SSL_CTX_set1_client_sigalgs_list(3); empty: all that are suitable for the key.
  std::string signature_algorithms;
  Versions versions = Versions::kAll;

  // Makes `ssl_ctx` (an SSL_CTX) present this certificate when the server requests one. Returns
  // false when OpenSSL refuses a part.
  [[nodiscard]] bool InstallOn(void* ssl_ctx) const;
};

// The description of an alert (RFC 8446, section 6); 0: none. close_notify, which has the number 0,
// is not an error. With TLS 1.3 a server may refuse a client after the client's handshake is
// complete, and then the alert is the only sign that the connection did not simply break.
using TlsAlert = std::uint8_t;

inline constexpr TlsAlert kNoTlsAlert = 0;
inline constexpr TlsAlert kBadCertificate = 42;
inline constexpr TlsAlert kCertificateRequired = 116;

// Stores alerts that arrive on connections of `ssl_ctx` (an SSL_CTX) in `target`, until
// WatchAlerts() sets another target for a connection. `target` must outlive the connections.
void WatchNewAlerts(void* ssl_ctx, TlsAlert& target);

// Stores alerts that arrive on `ssl` (an SSL) in `target` from now on.
void WatchAlerts(const void* ssl, TlsAlert& target);

}  // namespace baokms::openbao
