// Proves that a private key belongs to a certificate, by signing a fixed text. Nothing else is ever
// signed outside TLS.

#pragma once

#include <openssl/evp.h>

#include "authagent/pkcs11/hsm_session.h"
#include "authagent/pkcs11/signing_key.h"
#include "common/base/result.h"

namespace baokms::authagent {

// Signs and verifies with `public_key`. kFailedPrecondition: the keys do not match; errors of the
// signer are returned unchanged.
Status ProbeKey(EVP_PKEY& public_key, SigningKey& signer, const HsmKeyFacts& facts);

// Makes one signature before the filter is installed, so that everything the module loads for its
// first signature is already present.
Status WarmUpKey(SigningKey& signer, const HsmKeyFacts& facts);

}  // namespace baokms::authagent
