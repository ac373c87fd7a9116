// The signature operations of the provider in provider_key.h: one call per signature, the only form
// that TLS uses. Private to that provider.

#pragma once

#include <openssl/core.h>

#include "authagent/pkcs11/provider_key.h"
#include "authagent/pkcs11/signing_key.h"

namespace baokms::authagent {

// The data of an EVP_PKEY of the provider.
struct ProviderKey {
  EvpKey public_key;             // OpenSSL's own
  SigningKey* signer = nullptr;  // null: used for comparison only
};

// Returns the function table, which is the same for all kinds of keys.
const OSSL_DISPATCH* SignatureFunctions();

}  // namespace baokms::authagent
