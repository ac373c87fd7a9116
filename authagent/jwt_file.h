// The JWT in a file that another program keeps fresh. It is read for every login, so replacing the
// file is sufficient. The bytes are read into locked memory and are not copied elsewhere.

#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "authagent/credential.h"
#include "authagent/jwt_login.h"
#include "authagent/secret_file.h"
#include "common/base/clock.h"
#include "common/base/safe_path.h"
#include "proto/setup.pb.h"

namespace baokms::authagent {

// Reads the JWT from `place` under the rules of common/base/safe_path.h: no group write or execute,
// no permissions for others. Surrounding whitespace is dropped; whitespace inside is refused.
SecretRead ReadJwtFile(const SecretPlace& place);

class JwtFile final : public Credential {
 public:
  struct Options {
    SecretPlace place;
    JwtLogin login;
  };

  explicit JwtFile(Options options) : options_(std::move(options)) {}

  // Calls `done` before it returns, because reading a local file needs no waiting.
  void Acquire(BootTime deadline, std::function<void(Acquired)> done) override;

  [[nodiscard]] bool Replaced() const override;

 private:
  Options options_;
  FileStamp seen_;
};

// Opens the credential that `setup` describes with jwt_file().
std::unique_ptr<Credential> OpenJwtFile(const ipc::AgentSetup& setup);

}  // namespace baokms::authagent
