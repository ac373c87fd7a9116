// The client certificate and its chain, in a PEM file that another program keeps fresh: reads it
// and makes the checks that need no key. Whether the key belongs to it is checked with the key.

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

// The maximum size of a chain file (docs/config.md#files).
inline constexpr std::size_t kMaxChainFile = std::size_t{1024} * 1024;

// Certificates in one chain; real ones have two to four.
inline constexpr std::size_t kMaxChainLength = 16;

struct ClientCertificate {
  std::shared_ptr<X509> leaf;
  std::vector<std::shared_ptr<X509>> chain;  // the certificates after the leaf
  std::int64_t begins_unix = 0;
  std::int64_t ends_unix = 0;

  // Borrowed from the leaf.
  [[nodiscard]] EVP_PKEY* public_key() const { return X509_get0_pubkey(leaf.get()); }
};

struct CertificateRules {
  std::int64_t min_remaining_s = 0;
  std::int64_t leeway_s = 0;
};

// Parses PEM CERTIFICATE blocks, leaf first. kInvalidArgument: none, a block of another type (in
// particular a private key), or an invalid certificate; kResourceExhausted: more than
// kMaxChainLength, or a file over kMaxChainFile. The text is the rest of a sentence about the file.
Result<ClientCertificate> ParseChain(std::span<const std::uint8_t> pem);

// A certificate, or the reason why there is none.
struct [[nodiscard]] ChainRead {
  ClientCertificate certificate;
  Finding finding;  // kOk, kCertInvalid for wrong content, or kError
};

// Reads and parses a file under the rules of common/base/safe_path.h: no group write or execute, no
// permissions for others.
ChainRead ReadChainFile(const std::string& path, uid_t own_user);

// Checks the validity period, signature algorithm, usage, type and size of the leaf and its key
// (docs/authentication.md#what-is-checked-before-each-login). Returns kOk, or the first problem.
[[nodiscard]] Finding CheckCertificate(const ClientCertificate& certificate,
                                       const CertificateRules& rules,
                                       std::int64_t now_unix);

}  // namespace baokms::authagent
