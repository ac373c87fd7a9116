// The JWT that something else keeps fresh in a file: read again for every login, so that replacing
// the file is all it takes. The bytes go from the file into locked memory and nowhere else.

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <string>
#include <utility>

#include "authagent/credential.h"
#include "authagent/jwt_claims.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/safe_path.h"
#include "common/base/secret_buffer.h"

namespace baokms::authagent {

// The most a JWT file may hold (docs/config.md#files). A JWT has one to four KiB.
inline constexpr std::size_t kMaxJwtFile = std::size_t{1024} * 1024;

// Reads the JWT from `path` under the rules of common/base/safe_path.h: no group write or execute,
// nothing for others. Whitespace around it is dropped. kInvalidArgument: nothing else in the file,
// or whitespace inside; every other code as OpenSafeFile().
Result<SecretBuffer> ReadJwtFile(const std::string& path, uid_t own_user);

class JwtFile final : public Credential {
 public:
  struct Options {
    std::string path;
    uid_t own_user = 0;
    JwtRules rules;
  };

  explicit JwtFile(Options options) : options_(std::move(options)) {}

  // Answers before it returns: a local file needs no waiting.
  void Acquire(BootTime deadline, std::function<void(Acquired)> done) override;

  [[nodiscard]] bool Replaced() const override;

 private:
  [[nodiscard]] Acquired ReadAndCheck() const;

  Options options_;
  FileStamp seen_;
};

}  // namespace baokms::authagent
