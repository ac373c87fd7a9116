// The JWT that an OAuth 2.0 token endpoint grants for a client secret; every login obtains a new
// one. The endpoint's token is checked like a JWT from a file; OpenBao verifies the signature.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "authagent/credential.h"
#include "authagent/jwt_claims.h"
#include "authagent/oauth2_form.h"
#include "common/base/clock.h"
#include "common/base/safe_path.h"
#include "common/openbao/form_post.h"

namespace baokms::authagent {

class OAuth2Credential final : public Credential {
 public:
  struct Options {
    std::string client_secret_file;
    uid_t own_user = 0;
    GrantRequest grant;
    JwtRules rules;
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

}  // namespace baokms::authagent
