#include "authagent/pkcs11/client_certificate.h"

#include <algorithm>
#include <array>
#include <climits>
#include <ctime>
#include <optional>
#include <string_view>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "authagent/pkcs11/provider_key.h"
#include "authagent/secret_file.h"
#include "common/base/deleter.h"
#include "common/base/error.h"
#include "common/setup/ca_bundle.h"

namespace baokms::authagent {
namespace {

// NIST SP 800-57, part 1: smaller keys are no longer allowed.
constexpr int kMinRsaBits = 2048;

// The parts that PEM_read_bio() returns.
struct PemBlock {
  struct Free {
    void operator()(void* memory) const { OPENSSL_free(memory); }
  };

  std::unique_ptr<char, Free> name;
  std::unique_ptr<char, Free> header;
  std::unique_ptr<unsigned char, Free> data;
  long size = 0;
};

std::optional<PemBlock> NextBlock(BIO& bio) {
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  PemBlock block;
  const bool read = PEM_read_bio(&bio, &name, &header, &data, &block.size) == 1;
  block.name.reset(name);
  block.header.reset(header);
  block.data.reset(data);
  return read ? std::optional(std::move(block)) : std::nullopt;
}

Result<std::shared_ptr<X509>> ToCertificate(const PemBlock& block) {
  if (std::string_view(block.name.get()) != PEM_STRING_X509 || *block.header != '\0') {
    return Error(ErrorCode::kInvalidArgument, "contains a PEM block that is not a certificate");
  }
  const unsigned char* next = block.data.get();
  std::shared_ptr<X509> certificate(d2i_X509(nullptr, &next, block.size), X509_free);
  if (certificate == nullptr || next != block.data.get() + block.size ||
      X509_get0_pubkey(certificate.get()) == nullptr) {
    ERR_clear_error();
    return Error(ErrorCode::kInvalidArgument, "contains a certificate that cannot be parsed");
  }
  return certificate;
}

Result<std::int64_t> ToUnix(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) {
    return Error(ErrorCode::kInvalidArgument,
                 "contains a certificate whose validity period cannot be parsed");
  }
  return static_cast<std::int64_t>(::timegm(&parts));
}

// Returns the weakness, or an empty text when the signature is strong enough.
std::string_view WeaknessOfSignature(X509& leaf) {
  int digest = NID_undef;
  if (X509_get_signature_info(&leaf, &digest, nullptr, nullptr, nullptr) != 1) {
    return "the certificate has an unknown signature algorithm";
  }
  constexpr std::array kWeak = {NID_md2, NID_md4, NID_md5, NID_mdc2, NID_sha, NID_sha1};
  return std::ranges::find(kWeak, digest) == kWeak.end()
             ? std::string_view()
             : "the certificate is signed with MD5, SHA-1 or an older algorithm";
}

std::string_view WeaknessOfKey(EVP_PKEY& key) {
  const Result<KeyKind> kind = KindOf(key);
  if (!kind) {
    return "the key of the certificate is not RSA, EC or Ed25519";
  }
  if (*kind == KeyKind::kRsa && EVP_PKEY_get_bits(&key) < kMinRsaBits) {
    return "the RSA key of the certificate is shorter than 2048 bits";
  }
  if (*kind == KeyKind::kEc) {
    std::array<char, 64> group{};
    std::size_t size = 0;
    const bool named = EVP_PKEY_get_group_name(&key, group.data(), group.size(), &size) == 1;
    const int curve = named ? OBJ_txt2nid(group.data()) : NID_undef;
    if (curve != NID_X9_62_prime256v1 && curve != NID_secp384r1 && curve != NID_secp521r1) {
      return "the curve of the certificate's key is not P-256, P-384 or P-521";
    }
  }
  return {};
}

// Requires an extended key usage that allows client authentication, and a key usage, if present,
// that allows signatures (RFC 5280, sections 4.2.1.3 and 4.2.1.12).
std::string_view WrongUse(X509& leaf) {
  // Parses the extensions; an invalid one sets the flag.
  if ((X509_get_extension_flags(&leaf) & EXFLAG_INVALID) != 0) {
    return "the certificate has extensions that cannot be parsed";
  }
  if ((X509_get_extension_flags(&leaf) & EXFLAG_XKUSAGE) == 0 ||
      (X509_get_extended_key_usage(&leaf) & (XKU_SSL_CLIENT | XKU_ANYEKU)) == 0) {
    return "the extended key usage of the certificate does not allow client authentication";
  }
  if ((X509_get_key_usage(&leaf) & KU_DIGITAL_SIGNATURE) == 0) {
    return "the key usage of the certificate does not allow digital signatures";
  }
  return {};
}

}  // namespace

Result<ClientCertificate> ParseChain(std::span<const std::uint8_t> pem) {
  if (pem.size() > kMaxChainFile) {
    return Error(ErrorCode::kResourceExhausted, "is larger than 1 MiB");
  }
  const std::unique_ptr<BIO, Deleter<BIO_free>> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  if (bio == nullptr) {
    return Error(ErrorCode::kInternal, "does not fit into memory");
  }
  ClientCertificate found;
  while (const std::optional<PemBlock> block = NextBlock(*bio)) {
    std::shared_ptr<X509> certificate = BAOKMS_TRY(ToCertificate(*block));
    if (found.leaf == nullptr) {
      found.leaf = std::move(certificate);
      continue;
    }
    if (found.chain.size() + 1 == kMaxChainLength) {
      return Error(ErrorCode::kResourceExhausted, "contains more than 16 certificates");
    }
    found.chain.push_back(std::move(certificate));
  }
  if (!setup::PemReaderReachedEnd() || found.leaf == nullptr) {
    return Error(ErrorCode::kInvalidArgument, "is not a list of PEM certificates");
  }
  found.begins_unix = BAOKMS_TRY(ToUnix(X509_get0_notBefore(found.leaf.get())));
  found.ends_unix = BAOKMS_TRY(ToUnix(X509_get0_notAfter(found.leaf.get())));
  return found;
}

ChainRead ReadChainFile(const std::string& path, uid_t own_user) {
  const SecretForm form{.key = "auth.cert.pkcs11.certificateFile",
                        .strip = [](std::span<const std::uint8_t> pem) { return pem; },
                        .forbidden = [](std::uint8_t /*byte*/) { return false; },
                        .problem = "",
                        .remedy = "write the PEM certificates alone into it, leaf first"};
  const SecretRead file = ReadSecret(
      {path, own_user}, {.forbidden_bits = kForbiddenSecretBits, .max_size = kMaxChainFile}, form);
  if (!file.reason.empty()) {
    return {{}, {file.is_content ? AuthStatus::kCertInvalid : AuthStatus::kError, file.reason}};
  }
  Result<ClientCertificate> parsed = ParseChain(file.secret.Reveal());
  if (!parsed) {
    const bool content = parsed.error().code() == ErrorCode::kInvalidArgument;
    return {{},
            {content ? AuthStatus::kCertInvalid : AuthStatus::kError,
             ContentReason(form, parsed.error().what())}};
  }
  return {*std::move(parsed), {AuthStatus::kOk, ""}};
}

Finding CheckCertificate(const ClientCertificate& certificate,
                         const CertificateRules& rules,
                         std::int64_t now_unix) {
  if (now_unix + rules.leeway_s < certificate.begins_unix) {
    return {AuthStatus::kCertInvalid,
            "the certificate is not valid yet: compare the clocks of the issuer and this node"};
  }
  if (now_unix - rules.leeway_s >= certificate.ends_unix) {
    return {AuthStatus::kCertExpired, "the certificate has expired"};
  }
  if (certificate.ends_unix - now_unix <= rules.min_remaining_s) {
    return {AuthStatus::kCertNearExpiry,
            "the certificate expires within auth.cert.minRemainingTtl"};
  }
  for (const std::string_view wrong :
       {WeaknessOfSignature(*certificate.leaf), WeaknessOfKey(*certificate.public_key()),
        WrongUse(*certificate.leaf)}) {
    if (!wrong.empty()) {
      return {AuthStatus::kCertInvalid, std::string(wrong)};
    }
  }
  return {AuthStatus::kOk, ""};
}

}  // namespace baokms::authagent
