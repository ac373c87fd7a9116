// PKCS #11 URIs (RFC 7512) as far as they select a token, a private key, a module and a PIN file.
// Only this decides which URIs are accepted; the library that later interprets them accepts all of
// these.

#pragma once

#include <string_view>

#include "common/base/result.h"

namespace baokms::setup {

// Fails with kInvalidArgument, with the rest of a sentence about the key. A URI must not contain
// the PIN, an attribute twice, or an attribute that RFC 7512 does not define.
Status CheckPkcs11Uri(std::string_view uri);

// Whether a URI that CheckPkcs11Uri() accepts has this attribute ("module-path").
bool HasUriAttribute(std::string_view uri, std::string_view name);

}  // namespace baokms::setup
