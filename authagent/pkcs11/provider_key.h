// An OpenSSL provider whose private keys are SigningKeys: OpenSSL hashes and encodes, the
// SigningKey signs. It supports RSA (PKCS#1 v1.5 and PSS), ECDSA and Ed25519, and signing only
// (docs/decisions/0003-own-provider-for-pkcs11.md).

#pragma once

#include <memory>

#include <openssl/evp.h>

#include "authagent/pkcs11/signing_key.h"
#include "common/base/deleter.h"
#include "common/base/result.h"

namespace baokms::authagent {

using EvpKey = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;

// Registers the provider in this process permanently. OpenSSL's own provider remains the first
// choice for everything else. Call it before the system call filter is installed, and before
// MakeProviderKey().
Status LoadSigningProvider();

// Returns the type of a public key; kInvalidArgument: none of the types above.
Result<KeyKind> KindOf(const EVP_PKEY& public_key);

// Creates a key pair of `public_key` (borrowed for the call) whose private half is `signer`.
// `signer` must outlive the pair and everything that TLS created from it.
Result<EvpKey> MakeProviderKey(EVP_PKEY& public_key, SigningKey& signer);

}  // namespace baokms::authagent
