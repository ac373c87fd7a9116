// The rules for single values that travel from the configuration into a child. The configuration
// and the child call the same function, so that a child cannot refuse what the configuration let
// through.
//
// Each function fails with kInvalidArgument and with the rest of a sentence about the key: "must be
// an absolute path". No function looks at files, names or the environment.

#pragma once

#include <string_view>

#include "common/base/result.h"

namespace baokms::setup {

// Any text of 1 to 1,024 bytes without NUL, CR, LF and TAB and without white space at either end.
Status CheckIdentifier(std::string_view text);

// A path of an auth or secrets mount: segments joined by "/", none of them empty, "." or "..".
Status CheckMountPath(std::string_view text);

// As CheckMountPath(), without "%", which OpenBao does not allow. Must fit into an HTTP header.
Status CheckNamespace(std::string_view text);

// OpenBao's own rule for names of Transit keys.
Status CheckKeyName(std::string_view text);

// A name for SNI and for the check of a certificate: a DNS name, or an IP address without brackets.
// What libcurl would read as a number ("0123", "1.2.3") is refused.
Status CheckServerName(std::string_view text);

// The host of a URL without its brackets: letters, digits, ".", "-" and "_", or an IPv6 address.
Status CheckHost(std::string_view host);

// "" or an absolute path in visible ASCII: what stands between a URL's host and "/v1".
Status CheckPathPrefix(std::string_view prefix);

Status CheckAbsolutePath(std::string_view text);

// The label of a PKCS #11 token, which has a field of 32 bytes.
Status CheckTokenLabel(std::string_view text);

// No byte below 0x20 and no 0x7f.
Status CheckNoControl(std::string_view text);

// One scope token of RFC 6749, section 3.3.
Status CheckScope(std::string_view text);

}  // namespace baokms::setup
