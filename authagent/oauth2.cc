#include "authagent/oauth2.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>

#include "authagent/client_secret.h"
#include "authagent/credential.h"
#include "authagent/jwt_claims.h"
#include "authagent/oauth2_answer.h"
#include "authagent/oauth2_form.h"
#include "common/base/clock.h"
#include "common/base/result.h"
#include "common/base/safe_path.h"
#include "common/base/secret_buffer.h"
#include "common/openbao/form_post.h"

namespace baokms::authagent {
namespace {

Acquired Refused(AuthStatus status, std::string_view reason) {
  Acquired acquired;
  acquired.finding = {status, reason};
  return acquired;
}

}  // namespace

void OAuth2Credential::Acquire(BootTime deadline, std::function<void(Acquired)> done) {
  // Stamped before the file is read, so that Replaced() detects a replacement in between.
  seen_ = StampFile(options_.client_secret_file);
  const Result<SecretBuffer> secret =
      ReadClientSecret(options_.client_secret_file, options_.own_user);
  if (!secret) {
    done(Refused(AuthStatus::kOAuth2Credential, SecretFileReason(secret.error())));
    return;
  }
  Result<openbao::FormRequest> form = BuildGrant(options_.grant, *secret);
  if (!form) {
    done(Refused(AuthStatus::kOAuth2Request, form.error().what()));
    return;
  }
  post_(std::move(*form), deadline,
        [this, asked_unix = UnixNow(), done = std::move(done)](const openbao::FormAnswer& answer) {
          done(ClassifyAnswer(answer, asked_unix));
        });
}

// Expiry and due time are not needed, because the next login obtains a new token.
Acquired OAuth2Credential::ClassifyAnswer(const openbao::FormAnswer& answer,
                                          std::int64_t asked_unix) const {
  GrantOutcome grant = ClassifyGrant(answer);
  if (grant.finding.status != AuthStatus::kOk) {
    return Refused(grant.finding.status, grant.finding.reason);
  }
  Result<JwtClaims> claims = ParseJwt(grant.access_token.Reveal());
  if (!claims) {
    return Refused(AuthStatus::kJwtInvalid, claims.error().what());
  }
  if (grant.expires_in) {
    claims->expires =
        std::min(claims->expires, static_cast<double>(asked_unix + *grant.expires_in));
  }
  Acquired acquired;
  acquired.finding = CheckClaims(*claims, options_.rules, UnixNow());
  if (acquired.finding.status == AuthStatus::kOk) {
    acquired.jwt = std::move(grant.access_token);
  }
  return acquired;
}

bool OAuth2Credential::Replaced() const {
  return StampFile(options_.client_secret_file) != seen_;
}

}  // namespace baokms::authagent
