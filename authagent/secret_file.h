// Reads a credential file into locked memory, under the rules of common/base/safe_path.h, and says
// in one way for all of them why one cannot be used.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/base/error.h"
#include "common/base/safe_path.h"
#include "common/base/secret_buffer.h"

namespace baokms::authagent {

// A kind of credential file: its configuration key, and how the secret stands in it.
struct SecretForm {
  Literal key;  // names the file in reasons, because logs contain no paths
  std::span<const std::uint8_t> (*strip)(std::span<const std::uint8_t> content);
  bool (*forbidden)(std::uint8_t byte);  // in what strip() leaves
  Literal problem;                       // if a byte is forbidden: "has a NUL inside"
  Literal remedy;                        // what the file must contain: "write one PIN into it"
};

// Where a secret is.
struct SecretPlace {
  std::string path;
  uid_t own_user = 0;  // the only permitted owner besides root
  // Open for reading, by the spawner that checked the path, because this user may not open it; its
  // position does not matter. Negative, or no regular file: the path is opened.
  int opened = -1;
};

// What a credential file contains, or the reason why it cannot be used.
struct [[nodiscard]] SecretRead {
  SecretBuffer secret{};
  // Empty: the file can be used. Otherwise a word, the configuration key, what is wrong and what to
  // do: "unsafe_permissions: auth.jwt.jwtFile: mode 0644, at most 0640 is allowed; run chmod 0640
  // FILE" (docs/authentication.md#credential-files).
  std::string reason{};
  bool is_content = false;  // `reason` is about the content, not about the file
};

// Reads the secret alone; `rules` has all but the own user. A file that begins with a byte order
// mark, or that is empty after strip(), cannot be used either.
SecretRead ReadSecret(const SecretPlace& place, FileRules rules, const SecretForm& form);

// Returns the reason for a file of the configuration key `key` that was not opened, as in
// SecretRead.
[[nodiscard]] std::string RefusalReason(const PathRefusal& refusal, Literal key);

// Returns the reason for content of `form` that is not usable because of `problem`.
[[nodiscard]] std::string ContentReason(const SecretForm& form, std::string_view problem);

}  // namespace baokms::authagent
