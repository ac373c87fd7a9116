// The token's PIN, from its file into locked memory, and the tag by which the supervisor tells one
// PIN from another without learning it.

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "common/base/result.h"
#include "common/base/secret_buffer.h"

namespace baokms::authagent {

// The most a PIN file may hold (docs/config.md#files).
inline constexpr std::size_t kMaxPinFile = 4096;

// Reads exactly one non-empty line; CR and LF at its end are dropped. The file has no group write
// or execute and nothing for others. kInvalidArgument: another content; every other code as
// OpenSafeFile().
Result<SecretBuffer> ReadPinFile(const std::string& path, uid_t own_user);

// 16 bits of SHA-256 over `salt` and the PIN: enough to see that the PIN was changed, too little to
// check a guess by.
Result<std::uint16_t> PinTag(std::span<const std::uint8_t> salt, const SecretBuffer& pin);

}  // namespace baokms::authagent
