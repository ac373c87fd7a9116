#include "common/setup/set_up_checks.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "common/base/log.h"
#include "common/contract/identity.h"
#include "common/setup/limits.h"
#include "common/setup/pkcs11_uri.h"
#include "common/setup/require.h"
#include "common/setup/url.h"
#include "common/setup/value_rules.h"

namespace baokms::setup {
namespace {

bool IsTime(std::int64_t nanoseconds) {
  return nanoseconds > 0 && nanoseconds <= kMaxTime.count();
}

bool IsLogLevel(std::uint32_t level) {
  return level <= static_cast<std::uint32_t>(LogLevel::kError);
}

bool IsEmptyOr(Status (*check)(std::string_view), std::string_view text) {
  return text.empty() || check(text);
}

template <typename Texts>
bool AllPass(const Texts& texts, Status (*check)(std::string_view)) {
  return std::ranges::all_of(texts, [check](const auto& text) { return check(text).has_value(); });
}

bool IsEndpoint(const ipc::EndpointSetup& endpoint) {
  return CheckHost(endpoint.host()) && endpoint.port() >= 1 &&
         endpoint.port() <= std::numeric_limits<std::uint16_t>::max() &&
         CheckPathPrefix(endpoint.path_prefix());
}

Status CheckOpenBao(const ipc::OpenBaoSetup& setup) {
  const auto endpoints = static_cast<std::size_t>(setup.endpoints_size());
  BAOKMS_TRY(Require(endpoints >= 1 && endpoints <= kMaxEndpoints,
                     "set-up: openbao.additionalAddresses: number of addresses"));
  BAOKMS_TRY(Require(std::ranges::all_of(setup.endpoints(), IsEndpoint),
                     "set-up: openbao.address or openbao.additionalAddresses"));
  BAOKMS_TRY(Require(CheckServerName(setup.server_name()), "set-up: openbao.tlsServerName"));
  return Require(IsEmptyOr(&CheckNamespace, setup.namespace_path()), "set-up: openbao.namespace");
}

Status CheckWorkerTimes(const ipc::WorkerSetup& setup) {
  BAOKMS_TRY(Require(IsTime(setup.request_timeout_ns()), "set-up: openbao.timeout"));
  BAOKMS_TRY(Require(IsTime(setup.login_timeout_ns()), "set-up: auth.loginTimeout"));
  BAOKMS_TRY(Require(IsTime(setup.longest_backoff_ns()), "set-up: status.probeInterval"));
  BAOKMS_TRY(Require(setup.refresh_before_ns() == 0 || IsTime(setup.refresh_before_ns()),
                     "set-up: auth.loginBeforeTokenExpiry"));
  return Require(setup.renewal_increment_s() >= 1 && setup.renewal_increment_s() <= kMaxSeconds,
                 "set-up: auth.tokenRenewalIncrement");
}

Status CheckIdentity(const ipc::IdentitySetup& setup) {
  return contract::Validate(contract::KeyIdentity{
      setup.provider_name(), setup.cluster_id(), setup.instance_id(), setup.namespace_path(),
      setup.transit_mount_id(), setup.key_lineage_id()});
}

bool AreSeconds(std::int64_t min_remaining, std::int64_t leeway) {
  return min_remaining >= 0 && min_remaining <= kMaxSeconds && leeway >= 0 && leeway <= kMaxSeconds;
}

Status CheckJwt(const ipc::JwtSetup& jwt) {
  BAOKMS_TRY(Require(CheckIdentifier(jwt.role()) && !jwt.role().empty(), "set-up: auth.jwt.role"));
  BAOKMS_TRY(Require(AreSeconds(jwt.min_remaining_s(), jwt.leeway_s()),
                     "set-up: auth.jwt.minRemainingTtl or auth.jwt.clockSkewLeeway"));
  return Require(IsEmptyOr(&CheckIdentifier, jwt.expected_issuer()) &&
                     IsEmptyOr(&CheckIdentifier, jwt.expected_subject()) &&
                     AllPass(jwt.expected_audiences(), &CheckIdentifier),
                 "set-up: claims that auth.jwt expects");
}

Status CheckOAuth2(const ipc::AgentSetup& setup) {
  const ipc::OAuth2Setup& oauth2 = setup.oauth2();
  BAOKMS_TRY(CheckJwt(setup.jwt()));
  BAOKMS_TRY(
      Require(ParseTokenUrl(oauth2.token_url()) &&
                  oauth2.endpoint() >= static_cast<std::uint32_t>(setup.openbao().endpoints_size()),
              "set-up: auth.jwt.oauth2.tokenUrl"));
  BAOKMS_TRY(Require(CheckNoControl(oauth2.client_id()) && !oauth2.client_id().empty(),
                     "set-up: auth.jwt.oauth2.clientId"));
  BAOKMS_TRY(Require(CheckAbsolutePath(oauth2.client_secret_file()),
                     "set-up: auth.jwt.oauth2.clientSecretFile"));
  BAOKMS_TRY(Require(oauth2.auth_method() == ipc::OAuth2Setup::AUTH_METHOD_BASIC ||
                         oauth2.auth_method() == ipc::OAuth2Setup::AUTH_METHOD_POST,
                     "set-up: auth.jwt.oauth2.authMethod"));
  BAOKMS_TRY(Require(AllPass(oauth2.scopes(), &CheckScope), "set-up: auth.jwt.oauth2.scopes"));
  return Require(
      CheckNoControl(oauth2.audience()) && AllPass(oauth2.resources(), &CheckAbsoluteUri),
      "set-up: auth.jwt.oauth2.audience or auth.jwt.oauth2.resources");
}

Status CheckKeySelection(const ipc::Pkcs11Setup& pkcs11) {
  if (!pkcs11.uri().empty()) {
    return Require(CheckPkcs11Uri(pkcs11.uri()), "set-up: auth.cert.pkcs11.uri");
  }
  BAOKMS_TRY(Require(CheckTokenLabel(pkcs11.token_label()) && !pkcs11.token_label().empty(),
                     "set-up: auth.cert.pkcs11.tokenLabel"));
  return Require(CheckIdentifier(pkcs11.key_label()) && !pkcs11.key_label().empty(),
                 "set-up: auth.cert.pkcs11.keyLabel");
}

Status CheckPkcs11(const ipc::Pkcs11Setup& pkcs11) {
  BAOKMS_TRY(CheckKeySelection(pkcs11));
  BAOKMS_TRY(Require(IsEmptyOr(&CheckIdentifier, pkcs11.role()), "set-up: auth.cert.name"));
  BAOKMS_TRY(Require(AreSeconds(pkcs11.min_remaining_s(), pkcs11.leeway_s()),
                     "set-up: auth.cert.minRemainingTtl or auth.cert.clockSkewLeeway"));
  BAOKMS_TRY(Require(CheckAbsolutePath(pkcs11.certificate_file()),
                     "set-up: auth.cert.pkcs11.certificateFile"));
  const auto has_path = [&](const std::string& path, std::string_view attribute) {
    return CheckAbsolutePath(path) || (path.empty() && UriAttribute(pkcs11.uri(), attribute));
  };
  BAOKMS_TRY(Require(has_path(pkcs11.module_path(), "module-path"),
                     "set-up: auth.cert.pkcs11.modulePath"));
  return Require(has_path(pkcs11.pin_file(), "pin-source"), "set-up: auth.cert.pkcs11.pinFile");
}

Status CheckCredential(const ipc::AgentSetup& setup) {
  BAOKMS_TRY(Require(setup.has_jwt() != setup.has_pkcs11(), "set-up: two credentials, or none"));
  BAOKMS_TRY(Require(setup.has_module() == setup.has_pkcs11() &&
                         IsEmptyOr(&CheckAbsolutePath, setup.module().state_directory()),
                     "set-up: auth.cert.pkcs11.stateDirectory"));
  switch (setup.credential_case()) {
    case ipc::AgentSetup::kJwtFile:
      BAOKMS_TRY(CheckJwt(setup.jwt()));
      return Require(CheckAbsolutePath(setup.jwt_file().path()), "set-up: auth.jwt.jwtFile");
    case ipc::AgentSetup::kOauth2:
      return CheckOAuth2(setup);
    case ipc::AgentSetup::kPkcs11:
      return CheckPkcs11(setup.pkcs11());
    case ipc::AgentSetup::CREDENTIAL_NOT_SET:
      break;
  }
  return Error(ErrorCode::kInvalidArgument, "set-up: no credential");
}

}  // namespace

Status CheckWorkerSetup(const ipc::WorkerSetup& setup) {
  BAOKMS_TRY(CheckIdentity(setup.identity()));
  BAOKMS_TRY(CheckOpenBao(setup.openbao()));
  BAOKMS_TRY(Require(setup.openbao().namespace_path() == setup.identity().namespace_path(),
                     "set-up: two namespaces"));
  BAOKMS_TRY(Require(CheckMountPath(setup.transit_mount()), "set-up: transit.mountPath"));
  BAOKMS_TRY(Require(CheckKeyName(setup.transit_key()), "set-up: transit.keyName"));
  BAOKMS_TRY(Require(setup.max_connections() >= 1 && setup.max_connections() <= kMaxConnections,
                     "set-up: number of connections"));
  BAOKMS_TRY(CheckWorkerTimes(setup));
  return Require(IsLogLevel(setup.log_level()) && !setup.plugin_version().empty(),
                 "set-up: log level or version");
}

Status CheckAgentSetup(const ipc::AgentSetup& setup) {
  BAOKMS_TRY(CheckOpenBao(setup.openbao()));
  BAOKMS_TRY(CheckCredential(setup));
  BAOKMS_TRY(Require(CheckMountPath(setup.auth_mount()), "set-up: mountPath of the auth method"));
  BAOKMS_TRY(Require(IsTime(setup.login_timeout_ns()), "set-up: auth.loginTimeout"));
  BAOKMS_TRY(Require(IsTime(setup.longest_backoff_ns()), "set-up: status.probeInterval"));
  BAOKMS_TRY(Require(setup.worker_uids_size() == 0 ||
                         setup.worker_uids_size() == static_cast<int>(setup.workers()),
                     "set-up: users of the workers"));
  BAOKMS_TRY(Require(setup.login_budget_per_minute() > 0, "set-up: auth.loginBudgetPerMinute"));
  return Require(IsLogLevel(setup.log_level()) && setup.workers() > 0,
                 "set-up: log level or number of workers");
}

}  // namespace baokms::setup
