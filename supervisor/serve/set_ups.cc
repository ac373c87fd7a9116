#include "supervisor/serve/set_ups.h"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/log.h"
#include "common/base/result.h"
#include "common/contract/identity.h"
#include "ipc/sealed.h"
#include "proto/setup.pb.h"
#include "supervisor/broker/broker.h"
#include "supervisor/config/config.h"
#include "supervisor/config/derived.h"

namespace baokms::supervisor {
namespace {

// Kept-alive connections per worker: best end to end when measured against 1, 4 and 64.
constexpr std::uint32_t kMaxConnections = 16;

std::int64_t Seconds(Duration duration) {
  return std::chrono::ceil<std::chrono::seconds>(duration).count();
}

Result<ipc::OpenBaoSetup> OpenBaoPart(const Config& config, std::string_view ca_pem) {
  ipc::OpenBaoSetup part;
  for (const HttpsAddress& address : BAOKMS_TRY(OpenBaoEndpoints(config))) {
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
  setup.set_token_renewable(config.auth.method == "jwt");
  setup.set_max_connections(kMaxConnections);
  setup.set_log_level(static_cast<std::uint32_t>(LevelOf(config.logging.level)));
  return setup;
}

ipc::AgentSetup AgentPart(const Config& config, const ipc::OpenBaoSetup& openbao) {
  ipc::AgentSetup setup;
  *setup.mutable_openbao() = openbao;
  setup.set_workers(static_cast<std::uint32_t>(config.isolation.workers));
  setup.set_auth_mount(config.auth.jwt.mount_path);
  setup.set_login_timeout_ns(EffectiveLoginTimeout(config).count());
  setup.set_longest_backoff_ns(config.status.probe_interval.count());
  setup.set_log_level(static_cast<std::uint32_t>(LevelOf(config.logging.level)));
  setup.set_login_budget_per_minute(static_cast<std::uint32_t>(EffectiveLoginBudget(config)));
  ipc::JwtFileSetup* jwt = setup.mutable_jwt_file();
  jwt->set_path(config.auth.jwt.jwt_file);
  jwt->set_role(config.auth.jwt.role);
  jwt->set_min_remaining_s(Seconds(config.auth.jwt.min_remaining_ttl));
  jwt->set_leeway_s(Seconds(config.auth.jwt.clock_skew_leeway));
  jwt->set_expected_issuer(config.auth.jwt.expected_issuer);
  for (const std::string& audience : config.auth.jwt.expected_audience) {
    jwt->add_expected_audiences(audience);
  }
  jwt->set_expected_subject(config.auth.jwt.expected_subject);
  return setup;
}

}  // namespace

Result<SealedSetUps> SealSetUps(const Config& config,
                                std::string_view ca_pem,
                                std::string_view plugin_version) {
  const ipc::OpenBaoSetup openbao = BAOKMS_TRY(OpenBaoPart(config, ca_pem));
  ipc::SpawnerSetup spawner;
  spawner.set_workers(static_cast<std::uint32_t>(config.isolation.workers));
  SealedSetUps sealed;
  sealed.spawner = BAOKMS_TRY(ipc::SealMessage(spawner));
  sealed.worker = BAOKMS_TRY(ipc::SealMessage(WorkerPart(config, openbao, plugin_version)));
  sealed.agent = BAOKMS_TRY(ipc::SealMessage(AgentPart(config, openbao)));
  for (const ipc::EndpointSetup& endpoint : openbao.endpoints()) {
    sealed.endpoints.push_back(
        {.host = endpoint.host(), .port = static_cast<std::uint16_t>(endpoint.port())});
  }
  return sealed;
}

}  // namespace baokms::supervisor
