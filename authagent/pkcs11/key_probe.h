// Proves that a private key belongs to a certificate, by a signature of a fixed text. Nothing else
// is ever signed outside TLS.

#pragma once

#include <openssl/evp.h>

#include "authagent/pkcs11/hsm_session.h"
#include "authagent/pkcs11/signing_key.h"
#include "common/base/result.h"

namespace baokms::authagent {

// Signs and verifies with `public_key`. kFailedPrecondition: the two do not belong together; errors
// of the signer as they are.
Status ProbeKey(EVP_PKEY& public_key, SigningKey& signer, const HsmKeyFacts& facts);

// A signature for its own sake, before the filter: what the module loads for its first one is there
// afterwards.
Status WarmUpKey(SigningKey& signer, const HsmKeyFacts& facts);

}  // namespace baokms::authagent
