// The token's PIN, read from its file into locked memory, and the tag by which the supervisor
// distinguishes PINs without learning them.

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "authagent/secret_file.h"
#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/secret_buffer.h"

namespace baokms::authagent {

// The maximum size of a PIN file (docs/config.md#files).
inline constexpr std::size_t kMaxPinFile = 4096;

// Reads exactly one non-empty line; CR and LF at its end are dropped. The file must have no group
// write or execute permission and none for others. `key` is the part of the configuration that
// names the file.
SecretRead ReadPinFile(Literal key, const SecretPlace& place);

// Returns the first bits (ipc::kPinTagBits) of SHA-256 over `salt` and the PIN: enough to detect
// that the PIN was changed, too few to find a PIN by trying all of them.
Result<std::uint16_t> PinTag(std::span<const std::uint8_t> salt, const SecretBuffer& pin);

}  // namespace baokms::authagent
