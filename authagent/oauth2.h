// The JWT that an OAuth 2.0 token endpoint grants for a client secret in a file; every login
// obtains a new one. The endpoint's token is checked like a JWT from a file; OpenBao verifies the
// signature.

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "authagent/credential.h"
#include "authagent/jwt_login.h"
#include "authagent/oauth2_grant.h"
#include "authagent/secret_file.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/safe_path.h"
#include "common/openbao/form_post.h"
#include "proto/setup.pb.h"

namespace baokms::authagent {

// The maximum size of a client secret file (docs/config.md#files).
inline constexpr std::size_t kMaxClientSecretFile = std::size_t{64} * 1024;

// Reads the secret from `place` under the rules of common/base/safe_path.h: at most read and write
// for the owner and read for the group. One line end (CR LF or LF) at the end is dropped; any other
// white space is part of the secret. NUL, CR or LF inside is refused.
SecretRead ReadClientSecret(const SecretPlace& place);

class OAuth2Credential final : public Credential {
 public:
  struct Options {
    SecretPlace client_secret;
    GrantRequest grant;
    JwtLogin login;
  };

  // Sends a form to the token endpoint: openbao::FormPoster::Post(), or a replacement in tests.
  using Post = std::function<void(
      openbao::FormRequest, BootTime deadline, std::function<void(openbao::FormAnswer)>)>;

  // The objects that `post` uses must outlive the credential, and the credential must outlive its
  // last answer.
  OAuth2Credential(Options options, Post post)
      : options_(std::move(options)), post_(std::move(post)) {}

  void Acquire(BootTime deadline, std::function<void(Acquired)> done) override;

  // Returns whether the client secret was replaced.
  [[nodiscard]] bool Replaced() const override;

 private:
  [[nodiscard]] Acquired ClassifyAnswer(const openbao::FormAnswer& answer,
                                        std::int64_t asked_unix) const;

  Options options_;
  Post post_;
  FileStamp seen_;
};

// Opens the credential that `setup` describes with oauth2(). Fails when libcurl cannot be set up or
// the CA bundle contains no certificate.
Result<std::unique_ptr<Credential>> OpenOAuth2(const ipc::AgentSetup& setup,
                                               const CredentialHost& host);

}  // namespace baokms::authagent
