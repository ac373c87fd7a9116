#include "supervisor/serve/set_ups.h"

#include <chrono>
#include <string>
#include <utility>

#include "common/base/log.h"
#include "common/contract/identity.h"
#include "common/setup/set_up_checks.h"
#include "common/setup/url.h"
#include "ipc/sealed.h"
#include "supervisor/config/auth_method.h"
#include "supervisor/config/config.h"
#include "supervisor/config/derived.h"

namespace baokms::supervisor {
namespace {

// Kept-alive connections per worker: the best end-to-end result among 1, 4, 16 and 64.
constexpr std::uint32_t kMaxConnections = 16;

std::int64_t Seconds(Duration duration) {
  return std::chrono::ceil<std::chrono::seconds>(duration).count();
}

Result<ipc::OpenBaoSetup> OpenBaoPart(const Config& config, std::string_view ca_pem) {
  ipc::OpenBaoSetup part;
  for (const setup::HttpsAddress& address : BAOKMS_TRY(OpenBaoEndpoints(config))) {
    ipc::EndpointSetup* endpoint = part.add_endpoints();
    endpoint->set_host(address.host);
    endpoint->set_port(address.port);
    endpoint->set_path_prefix(address.prefix);
  }
  part.set_ca_pem(std::string(ca_pem));
  part.set_server_name(config.openbao.tls_server_name);
  part.set_namespace_path(config.openbao.openbao_namespace);
  return part;
}

void FillIdentity(const contract::KeyIdentity& identity, ipc::IdentitySetup* part) {
  part->set_provider_name(identity.provider_name);
  part->set_cluster_id(identity.cluster_id);
  part->set_instance_id(identity.instance_id);
  part->set_namespace_path(identity.namespace_path);
  part->set_transit_mount_id(identity.transit_mount_id);
  part->set_key_lineage_id(identity.key_lineage_id);
}

ipc::WorkerSetup WorkerPart(const Config& config,
                            const ipc::OpenBaoSetup& openbao,
                            std::string_view plugin_version) {
  const contract::ConfigIdentity identity = IdentityOf(config);
  ipc::WorkerSetup setup;
  FillIdentity(identity.key, setup.mutable_identity());
  *setup.mutable_openbao() = openbao;
  setup.set_transit_mount(identity.transit_mount_path);
  setup.set_transit_key(identity.transit_key_name);
  setup.set_plugin_version(std::string(plugin_version));
  setup.set_request_timeout_ns(config.openbao.timeout.count());
  setup.set_login_timeout_ns(EffectiveLoginTimeout(config).count());
  setup.set_refresh_before_ns(config.auth.login_before_token_expiry.count());
  setup.set_renewal_increment_s(Seconds(config.auth.token_renewal_increment));
  setup.set_longest_backoff_ns(config.status.probe_interval.count());
  setup.set_token_renewable(TraitsOf(config.auth.method).token_renewable);
  setup.set_max_connections(kMaxConnections);
  setup.set_log_level(static_cast<std::uint32_t>(config.logging.level));
  return setup;
}

void FillJwt(const JwtConfig& config, ipc::JwtSetup* part) {
  part->set_role(config.role);
  part->set_min_remaining_s(Seconds(config.min_remaining_ttl));
  part->set_leeway_s(Seconds(config.clock_skew_leeway));
  part->set_expected_issuer(config.expected_issuer);
  for (const std::string& audience : config.expected_audience) {
    part->add_expected_audiences(audience);
  }
  part->set_expected_subject(config.expected_subject);
}

ipc::OAuth2Setup::AuthMethod ToMessage(OAuth2ClientAuth auth) {
  switch (auth) {
    case OAuth2ClientAuth::kSecretPost:
      return ipc::OAuth2Setup::AUTH_METHOD_POST;
    case OAuth2ClientAuth::kSecretBasic:
      return ipc::OAuth2Setup::AUTH_METHOD_BASIC;
    case OAuth2ClientAuth::kUnset:
      break;
  }
  return ipc::OAuth2Setup::AUTH_METHOD_UNSPECIFIED;
}

ipc::OAuth2Setup OAuth2Part(const ServeOptions& options, std::uint32_t endpoint) {
  const OAuth2Config& config = options.config.auth.jwt.oauth2;
  ipc::OAuth2Setup part;
  part.set_token_url(config.token_url);
  part.set_endpoint(endpoint);
  part.set_through_proxy(options.oauth2_proxy.has_value());
  part.set_ca_pem(options.oauth2_ca_pem);
  part.set_client_id(config.client_id);
  part.set_client_secret_file(config.client_secret_file);
  part.set_auth_method(ToMessage(config.auth_method));
  for (const std::string& scope : config.scopes) {
    part.add_scopes(scope);
  }
  part.set_audience(config.audience);
  for (const std::string& resource : config.resources) {
    part.add_resources(resource);
  }
  return part;
}

ipc::ModuleAccess::Network ToNetwork(ModuleNetwork network) {
  switch (network) {
    case ModuleNetwork::kInet:
      return ipc::ModuleAccess::NETWORK_INET;
    case ModuleNetwork::kUnix:
      return ipc::ModuleAccess::NETWORK_UNIX;
    case ModuleNetwork::kNone:
      break;
  }
  return ipc::ModuleAccess::NETWORK_NONE;
}

ipc::ModuleAccess ModulePart(const Pkcs11Config& pkcs11) {
  ipc::ModuleAccess access;
  access.set_network(ToNetwork(pkcs11.network));
  access.set_state_directory(pkcs11.state_directory);
  return access;
}

void FillPkcs11(const CertConfig& cert, std::string_view pin_salt, ipc::Pkcs11Setup* part) {
  part->set_certificate_file(cert.pkcs11.certificate_file);
  part->set_module_path(cert.pkcs11.module_path);
  part->set_token_label(cert.pkcs11.token_label);
  part->set_key_label(cert.pkcs11.key_label);
  part->set_uri(cert.pkcs11.uri);
  part->set_pin_file(cert.pkcs11.pin_file);
  part->set_pin_salt(std::string(pin_salt));
  part->set_role(cert.name);
  part->set_min_remaining_s(Seconds(cert.min_remaining_ttl));
  part->set_leeway_s(Seconds(cert.clock_skew_leeway));
}

void FillJwtSource(const ServeOptions& options, ipc::AgentSetup& setup) {
  const JwtConfig& jwt = options.config.auth.jwt;
  FillJwt(jwt, setup.mutable_jwt());
  switch (jwt.source) {
    case JwtSource::kOAuth2:
      *setup.mutable_oauth2() =
          OAuth2Part(options, static_cast<std::uint32_t>(setup.openbao().endpoints_size()));
      break;
    case JwtSource::kFile:
      setup.mutable_jwt_file()->set_path(jwt.jwt_file);
      break;
    case JwtSource::kUnset:
      break;
  }
}

ipc::AgentSetup AgentPart(const ServeOptions& options,
                          const ipc::OpenBaoSetup& openbao,
                          std::string_view pin_salt) {
  const Config& config = options.config;
  ipc::AgentSetup setup;
  *setup.mutable_openbao() = openbao;
  setup.set_workers(static_cast<std::uint32_t>(config.isolation.workers));
  setup.set_login_timeout_ns(EffectiveLoginTimeout(config).count());
  setup.set_longest_backoff_ns(config.status.probe_interval.count());
  setup.set_log_level(static_cast<std::uint32_t>(config.logging.level));
  setup.set_login_budget_per_minute(static_cast<std::uint32_t>(EffectiveLoginBudget(config)));
  setup.set_without_landlock(config.isolation.landlock == LandlockUse::kOff);
  switch (config.auth.method) {
    case AuthMethod::kCert:
      setup.set_auth_mount(config.auth.cert.mount_path);
      FillPkcs11(config.auth.cert, pin_salt, setup.mutable_pkcs11());
      *setup.mutable_module() = ModulePart(config.auth.cert.pkcs11);
      break;
    case AuthMethod::kJwt:
      setup.set_auth_mount(config.auth.jwt.mount_path);
      FillJwtSource(options, setup);
      break;
    case AuthMethod::kUnset:
      break;
  }
  return setup;
}

// The token endpoint, or the proxy in front of it, is numbered after OpenBao's endpoints.
Result<BrokerEndpoint> TokenEndpoint(const ServeOptions& options) {
  if (options.oauth2_proxy) {
    return BrokerEndpoint{.host = options.oauth2_proxy->host, .port = options.oauth2_proxy->port};
  }
  const setup::HttpsAddress address =
      BAOKMS_TRY(setup::ParseTokenUrl(options.config.auth.jwt.oauth2.token_url));
  return BrokerEndpoint{.host = address.host, .port = address.port};
}

void FillUser(const UserIds& user, ipc::UserSetup* part) {
  part->set_uid(user.uid);
  part->set_gid(user.gid);
}

void FillUsers(const ChildUsers& users, SetUps& set_ups) {
  ipc::SeparateUsers* part = set_ups.spawner.mutable_users();
  for (const UserIds& worker : users.workers) {
    FillUser(worker, part->add_workers());
    set_ups.agent.add_worker_uids(worker.uid);
  }
  FillUser(users.agent, part->mutable_agent());
  part->mutable_agent_groups()->Add(users.agent_groups.begin(), users.agent_groups.end());
}

}  // namespace

Result<SetUps> MakeSetUps(const ServeOptions& options,
                          std::string_view pin_salt,
                          const ChildUsers* users) {
  const Config& config = options.config;
  const ipc::OpenBaoSetup openbao = BAOKMS_TRY(OpenBaoPart(config, options.openbao_ca_pem));
  SetUps set_ups;
  set_ups.worker = WorkerPart(config, openbao, options.build.version);
  set_ups.agent = AgentPart(options, openbao, pin_salt);
  set_ups.spawner.set_workers(static_cast<std::uint32_t>(config.isolation.workers));
  if (set_ups.agent.has_module()) {
    *set_ups.spawner.mutable_module() = set_ups.agent.module();
    set_ups.spawner.mutable_agent_environment()->Add(options.module_environment.begin(),
                                                     options.module_environment.end());
  }
  if (users != nullptr) {
    FillUsers(*users, set_ups);
    if (config.auth.credential_from_systemd) {
      set_ups.spawner.set_agent_credential(CredentialOf(config).path);
      set_ups.agent.set_credential_opened(true);
    }
  }
  BAOKMS_TRY(setup::CheckWorkerSetup(set_ups.worker));
  BAOKMS_TRY(setup::CheckAgentSetup(set_ups.agent));
  return set_ups;
}

Result<SealedSetUps> SealSetUps(const ServeOptions& options,
                                std::string_view pin_salt,
                                const ChildUsers* users,
                                bool helpers_readable) {
  SetUps set_ups = BAOKMS_TRY(MakeSetUps(options, pin_salt, users));
  set_ups.spawner.set_programs_unreadable(!helpers_readable);
  SealedSetUps sealed;
  sealed.inputs.spawner_setup = BAOKMS_TRY(ipc::SealMessage(set_ups.spawner));
  sealed.inputs.worker_setup = BAOKMS_TRY(ipc::SealMessage(set_ups.worker));
  sealed.inputs.agent_setup = BAOKMS_TRY(ipc::SealMessage(set_ups.agent));
  for (const ipc::EndpointSetup& endpoint : set_ups.worker.openbao().endpoints()) {
    sealed.endpoints.push_back(
        {.host = endpoint.host(), .port = static_cast<std::uint16_t>(endpoint.port())});
  }
  sealed.openbao_endpoints = static_cast<std::uint32_t>(sealed.endpoints.size());
  if (set_ups.agent.has_oauth2()) {
    sealed.endpoints.push_back(BAOKMS_TRY(TokenEndpoint(options)));
  }
  return sealed;
}

}  // namespace baokms::supervisor
