// The OAuth 2.0 client secret in a file: read again before each grant, so that replacing the file
// is all a rotation takes. The bytes go from the file into locked memory and nowhere else.

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/base/secret_buffer.h"

namespace baokms::authagent {

// The most a client secret file may hold (docs/config.md#files).
inline constexpr std::size_t kMaxClientSecretFile = std::size_t{64} * 1024;

// Reads the secret from `path` under the rules of common/base/safe_path.h: at most rw for the
// owner, r for the group. One line end at its end (CR LF or LF) is dropped, other white space
// belongs to it. kInvalidArgument: empty, or NUL, CR or LF inside; every other code as
// OpenSafeFile().
Result<SecretBuffer> ReadClientSecret(const std::string& path, uid_t own_user);

// The code for logs of why ReadClientSecret() failed: "file_missing", "unsafe_permissions", ...
// (docs/authentication.md#oauth-20-client-credentials).
[[nodiscard]] std::string_view SecretFileReason(const Error& error);

}  // namespace baokms::authagent
