// Reads a whole credential file into locked memory, under the rules of common/base/safe_path.h. It
// does not interpret the bytes.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "common/base/result.h"
#include "common/base/safe_path.h"
#include "common/base/secret_buffer.h"

namespace baokms::authagent {

struct SecretFile {
  SecretBuffer raw;  // may be longer than the file
  std::size_t size = 0;

  [[nodiscard]] std::span<const std::uint8_t> content() const { return raw.Reveal().first(size); }
};

// Reads the file. Codes as OpenSafeFile(); also kUnavailable when the file grows or shrinks
// meanwhile.
Result<SecretFile> ReadSecretFile(const std::string& path, const FileRules& rules);

}  // namespace baokms::authagent
