// PKCS #11 URIs (RFC 7512) that select a token, a private key, a module and a PIN file. These
// functions alone decide which URIs are accepted; the library that later interprets a URI accepts
// every one that they accept.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace baokms::setup {

// Checks a URI. Fails with kInvalidArgument and text that completes a sentence about the key. A URI
// must not contain the PIN, a duplicate attribute, or an attribute that RFC 7512 does not define.
Status CheckPkcs11Uri(std::string_view uri);

// Returns the path that a decoded pin-source names: an absolute path, or a file URI of this host
// (RFC 8089) such as "file:/etc/pin" or "file:///etc/pin". Empty if it is neither.
[[nodiscard]] std::string_view PinSourcePath(std::string_view source);

// Returns the decoded value of this attribute ("module-path") of a URI that CheckPkcs11Uri()
// accepts; nothing if it has none.
std::optional<std::string> UriAttribute(std::string_view uri, std::string_view name);

}  // namespace baokms::setup
