// An OpenSSL provider whose private keys are SigningKeys: OpenSSL hashes and encodes, the
// SigningKey signs. It has RSA (PKCS#1 v1.5 and PSS), ECDSA and Ed25519, and nothing but signing
// (docs/decisions/0003-own-provider-for-pkcs11.md).

#pragma once

#include <memory>

#include <openssl/evp.h>

#include "authagent/pkcs11/signing_key.h"
#include "common/base/deleter.h"
#include "common/base/result.h"

namespace baokms::authagent {

using EvpKey = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;

// Makes the provider known to this process, for good. OpenSSL's own provider stays the first choice
// for everything else. Call it before the system call filter, and before MakeProviderKey().
Status LoadSigningProvider();

// What a public key is; kInvalidArgument: none of the kinds above.
Result<KeyKind> KindOf(const EVP_PKEY& public_key);

// A key pair of `public_key` (borrowed for the call) whose private half is `signer`, which must
// outlive it and everything that TLS made of it.
Result<EvpKey> MakeProviderKey(EVP_PKEY& public_key, SigningKey& signer);

}  // namespace baokms::authagent
