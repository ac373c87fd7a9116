#include "authagent/pkcs11/provider_signature.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <openssl/bn.h>
#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rsa.h>

#include "common/base/deleter.h"
#include "common/base/result.h"

namespace baokms::authagent {
namespace {

struct DigestFacts {
  DigestKind kind;
  const char* name;
  const EVP_MD* (*md)();
};

constexpr std::array kDigests = {
    DigestFacts{DigestKind::kSha256, "SHA256", EVP_sha256},
    DigestFacts{DigestKind::kSha384, "SHA384", EVP_sha384},
    DigestFacts{DigestKind::kSha512, "SHA512", EVP_sha512},
};

const DigestFacts* FindDigest(const char* name) {
  const auto* found = std::ranges::find_if(
      kDigests, [name](const DigestFacts& facts) { return EVP_MD_is_a(facts.md(), name) == 1; });
  return found == kDigests.end() ? nullptr : found;
}

// One signature operation. RSA defaults to PKCS#1 v1.5, as in OpenSSL.
struct SignatureContext {
  const ProviderKey* key = nullptr;
  KeyKind kind = KeyKind::kRsa;
  const DigestFacts* digest = kDigests.data();
  bool pss = false;
};

SignatureContext& ContextOf(void* data) {
  return *static_cast<SignatureContext*>(data);
}

// OpenSSL frees the result through FreeSignatureContext().
void* NewContext(void* /*provider*/, const char* /*properties*/) {
  return std::make_unique<SignatureContext>().release();
}

void FreeSignatureContext(void* data) {
  const std::unique_ptr<SignatureContext> context(static_cast<SignatureContext*>(data));
}

// Returns a parameter that OpenSSL writes either as text or as a number.
std::string TextOf(const OSSL_PARAM& param) {
  const char* text = nullptr;
  if (OSSL_PARAM_get_utf8_string_ptr(&param, &text) == 1 && text != nullptr) {
    return text;
  }
  int number = 0;
  return OSSL_PARAM_get_int(&param, &number) == 1 ? std::to_string(number) : std::string();
}

bool SetPadding(SignatureContext& context, const std::string& mode) {
  if (mode == OSSL_PKEY_RSA_PAD_MODE_PSS || mode == std::to_string(RSA_PKCS1_PSS_PADDING)) {
    context.pss = true;
    return true;
  }
  context.pss = false;
  return mode == OSSL_PKEY_RSA_PAD_MODE_PKCSV15 || mode == std::to_string(RSA_PKCS1_PADDING);
}

// TLS uses only salts as long as the digest (RFC 8446, section 4.2.3).
bool IsDigestSalt(const std::string& length) {
  return length == OSSL_PKEY_RSA_PSS_SALT_LEN_DIGEST ||
         length == std::to_string(RSA_PSS_SALTLEN_DIGEST);
}

int SetContextParams(void* data, const OSSL_PARAM* params) {
  SignatureContext& context = ContextOf(data);
  if (params == nullptr) {
    return 1;
  }
  if (const auto* mode = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PAD_MODE);
      mode != nullptr && (context.kind != KeyKind::kRsa || !SetPadding(context, TextOf(*mode)))) {
    return 0;
  }
  const auto* salt = OSSL_PARAM_locate_const(params, OSSL_SIGNATURE_PARAM_PSS_SALTLEN);
  return salt == nullptr || IsDigestSalt(TextOf(*salt)) ? 1 : 0;
}

const OSSL_PARAM* SettableContextParams(void* /*context*/, void* /*provider*/) {
  static const std::array<OSSL_PARAM, 3> kParams = {
      {OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PAD_MODE, nullptr, 0),
       OSSL_PARAM_utf8_string(OSSL_SIGNATURE_PARAM_PSS_SALTLEN, nullptr, 0), OSSL_PARAM_END}};
  return kParams.data();
}

int BeginSignature(void* data, const char* digest, void* key_data, const OSSL_PARAM* params) {
  SignatureContext& context = ContextOf(data);
  context.key = static_cast<const ProviderKey*>(key_data);
  if (context.key == nullptr || context.key->signer == nullptr) {
    return 0;
  }
  const Result<KeyKind> kind = KindOf(*context.key->public_key);
  if (!kind) {
    return 0;
  }
  context.kind = *kind;
  if (digest != nullptr && *digest != '\0') {
    context.digest = context.kind == KeyKind::kEd25519 ? nullptr : FindDigest(digest);
    if (context.digest == nullptr) {
      return 0;
    }
  }
  return SetContextParams(data, params);
}

std::optional<std::vector<std::uint8_t>> Digest(const DigestFacts& facts,
                                                std::span<const std::uint8_t> text) {
  std::vector<std::uint8_t> digest(static_cast<std::size_t>(EVP_MD_get_size(facts.md())));
  if (EVP_Digest(text.data(), text.size(), digest.data(), nullptr, facts.md(), nullptr) != 1) {
    return std::nullopt;
  }
  return digest;
}

// Converts PKCS#11's r and s into the DER encoding that TLS requires (RFC 3279, section 2.2.3).
std::optional<std::vector<std::uint8_t>> EncodeEcdsa(std::span<const std::uint8_t> signature) {
  const std::size_t half = signature.size() / 2;
  if (half == 0 || signature.size() % 2 != 0) {
    return std::nullopt;
  }
  const std::unique_ptr<ECDSA_SIG, Deleter<ECDSA_SIG_free>> numbers(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(signature.data(), static_cast<int>(half), nullptr);
  BIGNUM* s = BN_bin2bn(signature.data() + half, static_cast<int>(half), nullptr);
  if (numbers == nullptr || r == nullptr || s == nullptr ||
      ECDSA_SIG_set0(numbers.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return std::nullopt;
  }
  std::uint8_t* encoded = nullptr;
  const int size = i2d_ECDSA_SIG(numbers.get(), &encoded);
  if (size <= 0) {
    return std::nullopt;
  }
  std::vector<std::uint8_t> der(encoded, encoded + size);
  OPENSSL_free(encoded);
  return der;
}

// Returns the part of a digest that ECDSA signs: no more bytes than the order of the curve has
// (FIPS 186-5, section 6.4.1). Not every module truncates by itself. The curve is taken from the
// certificate, because a private key need not have CKA_EC_PARAMS (PKCS#11 3.0, section 2.3.4).
std::span<const std::uint8_t> TruncateToOrder(const EVP_PKEY& public_key,
                                              std::span<const std::uint8_t> digest) {
  const auto order_bytes = static_cast<std::size_t>(EVP_PKEY_get_bits(&public_key) + 7) / 8;
  return digest.first(std::min(digest.size(), order_bytes));
}

std::optional<std::vector<std::uint8_t>> MakeSignature(const SignatureContext& context,
                                                       std::span<const std::uint8_t> text) {
  SignatureRequest request{
      .scheme = SchemeOf(context.kind, context.pss), .digest = {}, .input = text};
  std::optional<std::vector<std::uint8_t>> digest;
  if (context.kind != KeyKind::kEd25519) {
    digest = Digest(*context.digest, text);
    if (!digest) {
      return std::nullopt;
    }
    request.digest = context.digest->kind;
    request.input = context.kind == KeyKind::kEc
                        ? TruncateToOrder(*context.key->public_key, *digest)
                        : std::span<const std::uint8_t>(*digest);
  }
  const Result<std::vector<std::uint8_t>> signature = context.key->signer->Sign(request);
  if (!signature || signature->size() > kMaxSignature) {
    return std::nullopt;
  }
  return context.kind == KeyKind::kEc ? EncodeEcdsa(*signature) : std::optional(*signature);
}

// OpenSSL calls it first without a buffer, to obtain the size.
int SignAtOnce(void* data,
               unsigned char* signature,
               std::size_t* size,
               std::size_t capacity,
               const unsigned char* text,
               std::size_t text_size) {
  const SignatureContext& context = ContextOf(data);
  if (signature == nullptr) {
    *size = static_cast<std::size_t>(EVP_PKEY_get_size(context.key->public_key.get()));
    return 1;
  }
  const auto made = MakeSignature(context, {text, text_size});
  if (!made || made->size() > capacity) {
    return 0;
  }
  std::ranges::copy(*made, signature);
  *size = made->size();
  return 1;
}

}  // namespace

const OSSL_DISPATCH* SignatureFunctions() {
  static const std::array<OSSL_DISPATCH, 7> kFunctions = {{
      {OSSL_FUNC_SIGNATURE_NEWCTX, reinterpret_cast<void (*)()>(NewContext)},
      {OSSL_FUNC_SIGNATURE_FREECTX, reinterpret_cast<void (*)()>(FreeSignatureContext)},
      {OSSL_FUNC_SIGNATURE_DIGEST_SIGN_INIT, reinterpret_cast<void (*)()>(BeginSignature)},
      {OSSL_FUNC_SIGNATURE_DIGEST_SIGN, reinterpret_cast<void (*)()>(SignAtOnce)},
      {OSSL_FUNC_SIGNATURE_SET_CTX_PARAMS, reinterpret_cast<void (*)()>(SetContextParams)},
      {OSSL_FUNC_SIGNATURE_SETTABLE_CTX_PARAMS,
       reinterpret_cast<void (*)()>(SettableContextParams)},
      {0, nullptr},
  }};
  return kFunctions.data();
}

}  // namespace baokms::authagent
