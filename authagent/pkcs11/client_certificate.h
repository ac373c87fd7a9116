// The client certificate and its chain, as something else keeps them fresh in a PEM file: read, and
// judged by what can be judged here. Whether the key belongs to it is checked with the key.

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "authagent/credential.h"
#include "common/base/result.h"

namespace baokms::authagent {

// The most a chain file may hold (docs/config.md#files).
inline constexpr std::size_t kMaxChainFile = std::size_t{1024} * 1024;

// Certificates in one chain; real ones have two to four.
inline constexpr std::size_t kMaxChainLength = 16;

struct ClientCertificate {
  std::shared_ptr<X509> leaf;
  std::vector<std::shared_ptr<X509>> chain;  // what follows the leaf
  std::int64_t begins_unix = 0;
  std::int64_t ends_unix = 0;

  // Borrowed from the leaf.
  [[nodiscard]] EVP_PKEY* public_key() const { return X509_get0_pubkey(leaf.get()); }
};

struct CertificateRules {
  std::int64_t min_remaining_s = 0;
  std::int64_t leeway_s = 0;
};

// Reads PEM CERTIFICATE blocks, leaf first. kInvalidArgument: none, more than kMaxChainLength, a
// block of another kind (a private key above all), or one that is no certificate.
Result<ClientCertificate> ParseChain(std::span<const std::uint8_t> pem);

// ParseChain() of a file under the rules of common/base/safe_path.h: no group write or execute,
// nothing for others; other codes as OpenSafeFile().
Result<ClientCertificate> ReadChainFile(const std::string& path, uid_t own_user);

// Checks times, signature algorithm, use, kind and size of the leaf and its key
// (docs/authentication.md#what-is-checked-before-each-login). Returns kOk, or the first problem.
[[nodiscard]] Finding CheckCertificate(const ClientCertificate& certificate,
                                       const CertificateRules& rules,
                                       std::int64_t now_unix);

}  // namespace baokms::authagent
