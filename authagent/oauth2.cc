#include "authagent/oauth2.h"

#include <optional>
#include <span>

namespace baokms::authagent {
namespace {

// Owner execute, group write and execute, and all permissions of others.
constexpr mode_t kForbiddenBits = 0137;

using Bytes = std::span<const std::uint8_t>;

Bytes WithoutLineEnd(Bytes bytes) {
  if (bytes.empty() || bytes.back() != '\n') {
    return bytes;
  }
  bytes = bytes.first(bytes.size() - 1);
  const bool carriage_return = !bytes.empty() && bytes.back() == '\r';
  return carriage_return ? bytes.first(bytes.size() - 1) : bytes;
}

OAuth2Credential::Options ToOptions(const ipc::AgentSetup& setup) {
  const ipc::OAuth2Setup& oauth2 = setup.oauth2();
  const bool post = oauth2.auth_method() == ipc::OAuth2Setup::AUTH_METHOD_POST;
  return {.client_secret = PlaceOf(setup, oauth2.client_secret_file()),
          .grant = {.client_id = oauth2.client_id(),
                    .auth = post ? ClientAuth::kPost : ClientAuth::kBasic,
                    .scopes = {oauth2.scopes().begin(), oauth2.scopes().end()},
                    .audience = oauth2.audience(),
                    .resources = {oauth2.resources().begin(), oauth2.resources().end()}},
          .login = ToJwtLogin(setup.jwt())};
}

openbao::FormPostOptions ToPostOptions(const ipc::OAuth2Setup& setup) {
  return {
      .url = setup.token_url(),
      .endpoint = setup.endpoint(),
      .route = setup.through_proxy() ? openbao::PostRoute::kTunnel : openbao::PostRoute::kDirect,
      .ca_pem = setup.ca_pem()};
}

}  // namespace

SecretRead ReadClientSecret(const SecretPlace& place) {
  return ReadSecret(
      place, {.forbidden_bits = kForbiddenBits, .max_size = kMaxClientSecretFile},
      {.key = "auth.jwt.oauth2.clientSecretFile",
       .strip = WithoutLineEnd,
       .forbidden = [](auto byte) { return byte == '\0' || byte == '\r' || byte == '\n'; },
       .problem = "has a NUL, CR or LF inside the client secret",
       .remedy = "write the client secret alone into it"});
}

void OAuth2Credential::Acquire(BootTime deadline, std::function<void(Acquired)> done) {
  // Stamped before the file is read, so that Replaced() detects a replacement in between.
  seen_ = StampFile(options_.client_secret.path);
  const SecretRead read = ReadClientSecret(options_.client_secret);
  if (!read.reason.empty()) {
    return done(Unusable(AuthStatus::kOAuth2Credential, read.reason));
  }
  Result<openbao::FormRequest> form = BuildGrant(options_.grant, read.secret);
  if (!form) {
    return done(Unusable(AuthStatus::kOAuth2Request, form.error().what()));
  }
  post_(std::move(*form), deadline,
        [this, asked_unix = UnixNow(), done = std::move(done)](const openbao::FormAnswer& answer) {
          done(ClassifyAnswer(answer, asked_unix));
        });
}

Acquired OAuth2Credential::ClassifyAnswer(const openbao::FormAnswer& answer,
                                          std::int64_t asked_unix) const {
  const GrantOutcome grant = ClassifyGrant(answer);
  if (grant.finding.status != AuthStatus::kOk) {
    return Unusable(grant.finding.status, grant.finding.reason);
  }
  const auto expires_by =
      grant.expires_in ? std::optional(asked_unix + *grant.expires_in) : std::nullopt;
  Acquired acquired = AcquireJwt(grant.access_token, options_.login, expires_by);
  // Not needed, because the next login obtains a new token.
  acquired.ends_unix = 0;
  acquired.due_unix = 0;
  return acquired;
}

bool OAuth2Credential::Replaced() const {
  return StampFile(options_.client_secret.path) != seen_;
}

Result<std::unique_ptr<Credential>> OpenOAuth2(const ipc::AgentSetup& setup,
                                               const CredentialHost& host) {
  std::shared_ptr<openbao::FormPoster> poster = BAOKMS_TRY(openbao::FormPoster::Create(
      host.session.loop(), host.connector, ToPostOptions(setup.oauth2())));
  return std::unique_ptr<Credential>(std::make_unique<OAuth2Credential>(
      ToOptions(setup), [poster](openbao::FormRequest form, BootTime deadline, auto done) {
        poster->Post(std::move(form), deadline, std::move(done));
      }));
}

}  // namespace baokms::authagent
