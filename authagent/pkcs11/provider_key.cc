#include "authagent/pkcs11/provider_key.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include "authagent/pkcs11/provider_signature.h"
#include "common/base/error.h"

namespace baokms::authagent {
namespace {

constexpr const char* kProviderName = "baokms";
constexpr const char* kProperties = "provider=baokms";

// Carries a ProviderKeyParts from MakeProviderKey() to Import(), inside this process.
constexpr const char* kPartsParameter = "baokms-parts";

struct ProviderKeyParts {
  EVP_PKEY* public_key;
  SigningKey* signer;
};

using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX_free>>;

template <typename Function>
OSSL_DISPATCH Entry(int id, Function* function) {
  return {id, reinterpret_cast<void (*)()>(function)};
}

ProviderKey& KeyOf(void* data) {
  return *static_cast<ProviderKey*>(data);
}

// OpenSSL frees the result through FreeKey().
void* NewKey(void* /*provider*/) {
  return std::make_unique<ProviderKey>().release();
}

void FreeKey(void* data) {
  const std::unique_ptr<ProviderKey> key(static_cast<ProviderKey*>(data));
}

int HasParts(const void* data, int /*selection*/) {
  return data != nullptr && static_cast<const ProviderKey*>(data)->public_key != nullptr ? 1 : 0;
}

// Called by TLS to compare a key with its certificate.
int SameKey(const void* a, const void* b, int /*selection*/) {
  const auto& first = *static_cast<const ProviderKey*>(a);
  const auto& second = *static_cast<const ProviderKey*>(b);
  return EVP_PKEY_eq(first.public_key.get(), second.public_key.get());
}

constexpr const char* NameOf(KeyKind kind) {
  switch (kind) {
    case KeyKind::kRsa:
      return "RSA";
    case KeyKind::kEc:
      return "EC";
    case KeyKind::kEd25519:
      break;
  }
  return "ED25519";
}

// Imports one of our keys with its signer, or a public key of OpenSSL for comparison with one of
// ours.
int Import(const char* type, void* data, const OSSL_PARAM* params) {
  ProviderKey& key = KeyOf(data);
  if (const OSSL_PARAM* found = OSSL_PARAM_locate_const(params, kPartsParameter)) {
    if (found->data_size != sizeof(ProviderKeyParts)) {
      return 0;
    }
    ProviderKeyParts parts{};
    std::memcpy(&parts, found->data, sizeof parts);
    if (EVP_PKEY_up_ref(parts.public_key) != 1) {
      return 0;
    }
    key.public_key.reset(parts.public_key);
    key.signer = parts.signer;
    return 1;
  }
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, "provider=default"));
  EVP_PKEY* made = nullptr;
  if (context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY,
                        const_cast<OSSL_PARAM*>(params)) != 1) {
    return 0;
  }
  key.public_key.reset(made);
  return 1;
}

template <KeyKind kKind>
int ImportAs(void* data, int /*selection*/, const OSSL_PARAM* params) {
  return Import(NameOf(kKind), data, params);
}

const OSSL_PARAM* ImportTypes(int /*selection*/) {
  static const std::array<OSSL_PARAM, 2> kTypes = {
      {OSSL_PARAM_octet_string(kPartsParameter, nullptr, 0), OSSL_PARAM_END}};
  return kTypes.data();
}

// Returns sizes, group and digest names, which the public half has.
int GetParams(void* data, OSSL_PARAM* params) {
  const ProviderKey& key = KeyOf(data);
  return key.public_key == nullptr ? 0 : EVP_PKEY_get_params(key.public_key.get(), params);
}

const OSSL_PARAM* GettableParams(void* /*provider*/) {
  static const std::array<OSSL_PARAM, 7> kParams = {{
      OSSL_PARAM_int(OSSL_PKEY_PARAM_BITS, nullptr),
      OSSL_PARAM_int(OSSL_PKEY_PARAM_SECURITY_BITS, nullptr),
      OSSL_PARAM_int(OSSL_PKEY_PARAM_MAX_SIZE, nullptr),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_DEFAULT_DIGEST, nullptr, 0),
      OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_MANDATORY_DIGEST, nullptr, 0),
      OSSL_PARAM_END,
  }};
  return kParams.data();
}

// Our own names prevent OpenSSL from looking for the operation in another provider.
constexpr const char* SignatureNameOf(KeyKind kind) {
  switch (kind) {
    case KeyKind::kRsa:
      return "BAOKMS-RSA";
    case KeyKind::kEc:
      return "BAOKMS-EC";
    case KeyKind::kEd25519:
      break;
  }
  return "BAOKMS-ED25519";
}

template <KeyKind kKind>
const char* SignatureName(int /*operation*/) {
  return SignatureNameOf(kKind);
}

template <KeyKind kKind>
const OSSL_DISPATCH* KeyManagement() {
  static const std::array<OSSL_DISPATCH, 10> kFunctions = {
      {Entry(OSSL_FUNC_KEYMGMT_NEW, NewKey),
       Entry(OSSL_FUNC_KEYMGMT_FREE, FreeKey),
       Entry(OSSL_FUNC_KEYMGMT_HAS, HasParts),
       Entry(OSSL_FUNC_KEYMGMT_MATCH, SameKey),
       Entry(OSSL_FUNC_KEYMGMT_IMPORT, ImportAs<kKind>),
       Entry(OSSL_FUNC_KEYMGMT_IMPORT_TYPES, ImportTypes),
       Entry(OSSL_FUNC_KEYMGMT_GET_PARAMS, GetParams),
       Entry(OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS, GettableParams),
       Entry(OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME, SignatureName<kKind>),
       {0, nullptr}}};
  return kFunctions.data();
}

const OSSL_ALGORITHM* QueryOperation(void* /*provider*/, int operation, int* no_cache) {
  static const std::array<OSSL_ALGORITHM, 4> kKeys = {{
      {"RSA:rsaEncryption:1.2.840.113549.1.1.1", kProperties, KeyManagement<KeyKind::kRsa>(),
       nullptr},
      {"EC:id-ecPublicKey:1.2.840.10045.2.1", kProperties, KeyManagement<KeyKind::kEc>(), nullptr},
      {"ED25519:1.3.101.112", kProperties, KeyManagement<KeyKind::kEd25519>(), nullptr},
      {nullptr, nullptr, nullptr, nullptr},
  }};
  static const std::array<OSSL_ALGORITHM, 4> kSignatures = {{
      {SignatureNameOf(KeyKind::kRsa), kProperties, SignatureFunctions(), nullptr},
      {SignatureNameOf(KeyKind::kEc), kProperties, SignatureFunctions(), nullptr},
      {SignatureNameOf(KeyKind::kEd25519), kProperties, SignatureFunctions(), nullptr},
      {nullptr, nullptr, nullptr, nullptr},
  }};
  *no_cache = 0;
  switch (operation) {
    case OSSL_OP_KEYMGMT:
      return kKeys.data();
    case OSSL_OP_SIGNATURE:
      return kSignatures.data();
    default:
      return nullptr;
  }
}

int InitProvider(const OSSL_CORE_HANDLE* handle,
                 const OSSL_DISPATCH* /*core*/,
                 const OSSL_DISPATCH** functions,
                 void** provider) {
  static const std::array<OSSL_DISPATCH, 2> kFunctions = {
      Entry(OSSL_FUNC_PROVIDER_QUERY_OPERATION, QueryOperation), {0, nullptr}};
  *functions = kFunctions.data();
  *provider = const_cast<OSSL_CORE_HANDLE*>(handle);
  return 1;
}

bool IsOurs(const EVP_KEYMGMT& keys) {
  const OSSL_PROVIDER* const owner = EVP_KEYMGMT_get0_provider(&keys);
  return std::string_view(OSSL_PROVIDER_get0_name(owner)) == kProviderName;
}

}  // namespace

Status LoadSigningProvider() {
  // Loading a provider explicitly keeps the default one from being loaded implicitly.
  if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) != 1 ||
      OSSL_PROVIDER_load(nullptr, "default") == nullptr ||
      OSSL_PROVIDER_add_builtin(nullptr, kProviderName, InitProvider) != 1 ||
      OSSL_PROVIDER_load(nullptr, kProviderName) == nullptr ||
      EVP_set_default_properties(nullptr, "?provider=default") != 1) {
    return Error(ErrorCode::kInternal, "OpenSSL did not accept the signing provider");
  }
  // OpenSSL 3.0 caches the first result of a name for all callers. One of our signatures makes it
  // look up our EC keys; without an earlier lookup, every EC key and group of TLS would be searched
  // for in this provider from then on.
  for (const KeyKind kind : {KeyKind::kRsa, KeyKind::kEc, KeyKind::kEd25519}) {
    EVP_KEYMGMT* const first = EVP_KEYMGMT_fetch(nullptr, NameOf(kind), nullptr);
    const bool theirs = first != nullptr && !IsOurs(*first);
    EVP_KEYMGMT_free(first);
    if (!theirs) {
      return Error(ErrorCode::kInternal, "OpenSSL prefers the signing provider");
    }
  }
  return {};
}

Result<KeyKind> KindOf(const EVP_PKEY& public_key) {
  for (const KeyKind kind : {KeyKind::kRsa, KeyKind::kEc, KeyKind::kEd25519}) {
    if (EVP_PKEY_is_a(&public_key, NameOf(kind)) == 1) {
      return kind;
    }
  }
  return Error(ErrorCode::kInvalidArgument, "key is not RSA, EC or Ed25519");
}

Result<EvpKey> MakeProviderKey(EVP_PKEY& public_key, SigningKey& signer) {
  const KeyKind kind = BAOKMS_TRY(KindOf(public_key));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, NameOf(kind), kProperties));
  ProviderKeyParts parts{.public_key = &public_key, .signer = &signer};
  std::array<OSSL_PARAM, 2> params = {
      OSSL_PARAM_construct_octet_string(kPartsParameter, &parts, sizeof parts),
      OSSL_PARAM_construct_end()};
  EVP_PKEY* made = nullptr;
  if (context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_KEYPAIR, params.data()) != 1) {
    return Error(ErrorCode::kInternal, "OpenSSL did not accept the key");
  }
  return EvpKey(made);
}

}  // namespace baokms::authagent
