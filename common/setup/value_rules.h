// Rules for single values that are passed from the configuration to a child. The configuration and
// the child call the same function, so a child cannot refuse a value that the configuration
// accepted.
//
// Each function fails with kInvalidArgument and with text that completes a sentence about the key:
// "must be an absolute path". No function accesses files, resolves names or reads the environment.

#pragma once

#include <string_view>

#include "common/base/result.h"

namespace baokms::setup {

// Requires 1 to 1,024 bytes without NUL, CR, LF or TAB and without leading or trailing white space.
Status CheckIdentifier(std::string_view text);

// Requires the path of an auth or secrets mount: segments joined by "/", none of them empty, "." or
// "..".
Status CheckMountPath(std::string_view text);

// Applies CheckMountPath() and refuses "%", which OpenBao does not allow. The value must fit into
// an HTTP header.
Status CheckNamespace(std::string_view text);

// Applies OpenBao's own rule for names of Transit keys.
Status CheckKeyName(std::string_view text);

// Requires a name for SNI and certificate verification: a DNS name, or an IP address without
// brackets. Names that libcurl would read as a number ("0123", "1.2.3") are refused.
Status CheckServerName(std::string_view text);

// Requires the host of a URL without brackets: a DNS name, an IPv4 address in any form that
// inet_aton(3) reads, or an IPv6 address.
Status CheckHost(std::string_view host);

// "" or an absolute path in visible ASCII: what stands between a URL's host and "/v1".
Status CheckPathPrefix(std::string_view prefix);

Status CheckAbsolutePath(std::string_view text);

// Requires a PKCS #11 token label, which is limited to 32 bytes.
Status CheckTokenLabel(std::string_view text);

// Refuses bytes below 0x20 and 0x7f.
Status CheckNoControl(std::string_view text);

// Requires one scope token of RFC 6749, section 3.3.
Status CheckScope(std::string_view text);

}  // namespace baokms::setup
