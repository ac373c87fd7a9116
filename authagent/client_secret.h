// The OAuth 2.0 client secret in a file. It is read before each grant, so a rotation only has to
// replace the file. The bytes are read into locked memory and are not copied elsewhere.

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/secret_buffer.h"

namespace baokms::authagent {

// The maximum size of a client secret file (docs/config.md#files).
inline constexpr std::size_t kMaxClientSecretFile = std::size_t{64} * 1024;

// Reads the secret from `path` under the rules of common/base/safe_path.h: at most read and write
// for the owner and read for the group. One line end (CR LF or LF) at the end is dropped; any other
// white space is part of the secret. kInvalidArgument: empty, or NUL, CR or LF inside; other codes
// as OpenSafeFile().
Result<SecretBuffer> ReadClientSecret(const std::string& path, uid_t own_user);

// Returns the reason code for logs why ReadClientSecret() failed: "file_missing",
// "unsafe_permissions", ... (docs/authentication.md#oauth-20-client-credentials).
[[nodiscard]] std::string_view SecretFileReason(const Error& error);

}  // namespace baokms::authagent
