// Reads a whole credential file into locked memory, under the rules of common/base/safe_path.h.

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/safe_path.h"
#include "common/base/secret_buffer.h"

namespace baokms::authagent {

// Group write and execute, and all permissions of others.
inline constexpr mode_t kForbiddenSecretBits = 0037;

struct SecretFile {
  SecretBuffer raw;  // may be longer than the file
  std::size_t size = 0;

  [[nodiscard]] std::span<const std::uint8_t> content() const { return raw.Reveal().first(size); }
};

// Reads the file. Codes as OpenSafeFile(); also kUnavailable when the file grows or shrinks
// meanwhile, and kInvalidArgument when it begins with a byte order mark.
Result<SecretFile> ReadSecretFile(const std::string& path, const FileRules& rules);

// How a kind of secret stands in its file.
struct SecretForm {
  std::span<const std::uint8_t> (*strip)(std::span<const std::uint8_t> content);
  bool (*forbidden)(std::uint8_t byte);  // in what strip() leaves
  Literal problem;                       // if a byte is forbidden or nothing is left
};

// Reads the secret alone. Codes as ReadSecretFile(); kInvalidArgument with the form's problem.
Result<SecretBuffer> ReadSecret(const std::string& path,
                                const FileRules& rules,
                                const SecretForm& form);

}  // namespace baokms::authagent
