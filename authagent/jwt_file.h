// The JWT in a file that another program keeps fresh. It is read for every login, so replacing the
// file is sufficient. The bytes are read into locked memory and are not copied elsewhere.

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
#include "common/openbao/http_limits.h"

namespace baokms::authagent {

// The maximum size of a JWT file (docs/config.md#files). A JWT has one to four KiB.
inline constexpr std::size_t kMaxJwtFile = openbao::kMaxJwtBytes;

// Reads the JWT from `path` under the rules of common/base/safe_path.h: no group write or execute,
// no permissions for others. Surrounding whitespace is dropped. kInvalidArgument: the file is
// otherwise empty, or has whitespace inside; other codes as OpenSafeFile().
Result<SecretBuffer> ReadJwtFile(const std::string& path, uid_t own_user);

class JwtFile final : public Credential {
 public:
  struct Options {
    std::string path;
    uid_t own_user = 0;
    JwtRules rules;
  };

  explicit JwtFile(Options options) : options_(std::move(options)) {}

  // Calls `done` before it returns, because reading a local file needs no waiting.
  void Acquire(BootTime deadline, std::function<void(Acquired)> done) override;

  [[nodiscard]] bool Replaced() const override;

 private:
  [[nodiscard]] Acquired ReadAndCheck() const;

  Options options_;
  FileStamp seen_;
};

}  // namespace baokms::authagent
