// Each key of the configuration arrives where it has its effect, and no other key does. What a
// worker makes of its set-up is in tests/worker/worker_options_test.cc, what the agent makes of it
// in tests/authagent, and that limits and times bite in a running provider in
// tests/e2e/test_keys_bite.py.

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/setup.pb.h"
#include "supervisor/config/schema_table.h"
#include "supervisor/config/serve_options.h"
#include "supervisor/serve/provider.h"
#include "supervisor/serve/set_ups.h"
#include "tests/supervisor/config/config_texts.h"

namespace baokms::supervisor {
namespace {

using ::testing::IsEmpty;

// Everything that a configuration is turned into.
struct Effects {
  ipc::WorkerSetup worker;
  ipc::AgentSetup agent;
  ipc::SpawnerSetup spawner;
  StatusOptions status;
  ConcurrencyLimits limits;
};

std::string Text(const std::string& text) {
  return text;
}

template <typename Number>
std::string Text(Number number) {
  return std::to_string(static_cast<std::int64_t>(number));
}

std::string Text(BootTime time) {
  return std::to_string(time.count());
}

template <typename List>
std::string Joined(const List& list) {
  std::string joined;
  for (const std::string& item : list) {
    joined.append(item).append(" ");
  }
  return joined;
}

std::string Endpoint(const ipc::OpenBaoSetup& openbao, int index) {
  if (index >= openbao.endpoints_size()) {
    return "none";
  }
  const ipc::EndpointSetup& endpoint = openbao.endpoints(index);
  return endpoint.host() + " " + std::to_string(endpoint.port()) + " " + endpoint.path_prefix();
}

struct Row {
  std::string key;
  std::string value;  // as in the file; never the default, nor the value of another row
  std::string expected;
  std::vector<std::function<std::string(const Effects&)>> read;
};

#define BAOKMS_AT(expression)  \
  [](const Effects& e) {       \
    return Text(e.expression); \
  }

std::vector<Row> CommonRows() {
  return {
      {"server.maxConcurrentStatus", "31", "31", {BAOKMS_AT(limits.status)}},
      {"server.maxConcurrentEncrypt", "33", "33", {BAOKMS_AT(limits.encrypt)}},
      {"server.maxConcurrentDecrypt", "35", "35", {BAOKMS_AT(limits.decrypt)}},
      {"openbao.address",
       "https://one.example:8201/prefix",
       "one.example 8201 /prefix",
       {[](const Effects& e) { return Endpoint(e.worker.openbao(), 0); },
        [](const Effects& e) {
          return Endpoint(e.agent.openbao(), 0);
        }}},
      {"openbao.additionalAddresses",
       "['https://two.example:8202']",
       "two.example 8202 ",
       {[](const Effects& e) { return Endpoint(e.worker.openbao(), 1); },
        [](const Effects& e) {
          return Endpoint(e.agent.openbao(), 1);
        }}},
      {"openbao.namespace",
       "some/namespace",
       "some/namespace",
       {BAOKMS_AT(worker.openbao().namespace_path()), BAOKMS_AT(agent.openbao().namespace_path()),
        BAOKMS_AT(worker.identity().namespace_path())}},
      {"openbao.tlsServerName",
       "name.example",
       "name.example",
       {BAOKMS_AT(worker.openbao().server_name()), BAOKMS_AT(agent.openbao().server_name())}},
      {"openbao.timeout",
       "7s",
       "7000000000",
       {BAOKMS_AT(worker.request_timeout_ns()), BAOKMS_AT(status.operation_timeout)}},
      {"openbao.instanceId",
       "instance-7",
       "instance-7",
       {BAOKMS_AT(worker.identity().instance_id())}},
      {"auth.loginBeforeTokenExpiry",
       "71s",
       "71000000000",
       {BAOKMS_AT(worker.refresh_before_ns())}},
      {"auth.tokenRenewalIncrement", "2h", "7200", {BAOKMS_AT(worker.renewal_increment_s())}},
      {"auth.loginTimeout",
       "9s",
       "9000000000",
       {BAOKMS_AT(worker.login_timeout_ns()), BAOKMS_AT(agent.login_timeout_ns())}},
      {"auth.loginBudgetPerMinute", "21", "21", {BAOKMS_AT(agent.login_budget_per_minute())}},
      {"transit.mountPath", "some/mount", "some/mount", {BAOKMS_AT(worker.transit_mount())}},
      {"transit.keyName", "some-key", "some-key", {BAOKMS_AT(worker.transit_key())}},
      {"transit.keyIdScope.providerName",
       "provider-7",
       "provider-7",
       {BAOKMS_AT(worker.identity().provider_name())}},
      {"transit.keyIdScope.clusterId",
       "cluster-7",
       "cluster-7",
       {BAOKMS_AT(worker.identity().cluster_id())}},
      {"transit.keyIdScope.transitMountId",
       "mount-7",
       "mount-7",
       {BAOKMS_AT(worker.identity().transit_mount_id())}},
      {"transit.keyIdScope.keyLineageId",
       "lineage-7",
       "lineage-7",
       {BAOKMS_AT(worker.identity().key_lineage_id())}},
      {"bootstrap.graceTimeout", "13m", "780000000000", {BAOKMS_AT(status.grace_timeout)}},
      {"bootstrap.retryInterval", "14s", "14000000000", {BAOKMS_AT(status.retry_interval)}},
      {"status.probeInterval",
       "15s",
       "15000000000",
       {BAOKMS_AT(status.probe_interval), BAOKMS_AT(worker.longest_backoff_ns()),
        BAOKMS_AT(agent.longest_backoff_ns())}},
      {"status.deepProbeInterval", "16s", "16000000000", {BAOKMS_AT(status.deep_probe_interval)}},
      {"status.statusMaxStaleness", "11m", "660000000000", {BAOKMS_AT(status.max_staleness)}},
      {"rotation.activationDelay",
       "18s",
       "18000000000",
       {BAOKMS_AT(status.rotation.activation_delay)}},
      {"rotation.requireStableObservationCount",
       "19",
       "19",
       {BAOKMS_AT(status.rotation.required_observations)}},
      {"logging.level",
       "debug",
       "0",
       {BAOKMS_AT(worker.log_level()), BAOKMS_AT(agent.log_level())}},
      {"isolation.workers", "5", "5", {BAOKMS_AT(agent.workers()), BAOKMS_AT(spawner.workers())}},
  };
}

std::vector<Row> JwtRows() {
  return {
      {"auth.jwt.mountPath", "auth/other", "auth/other", {BAOKMS_AT(agent.auth_mount())}},
      {"auth.jwt.role", "role-7", "role-7", {BAOKMS_AT(agent.jwt().role())}},
      {"auth.jwt.jwtFile", "/some/jwt", "/some/jwt", {BAOKMS_AT(agent.jwt_file().path())}},
      {"auth.jwt.minRemainingTtl", "41s", "41", {BAOKMS_AT(agent.jwt().min_remaining_s())}},
      {"auth.jwt.clockSkewLeeway", "43s", "43", {BAOKMS_AT(agent.jwt().leeway_s())}},
      {"auth.jwt.expectedIssuer",
       "issuer-7",
       "issuer-7",
       {BAOKMS_AT(agent.jwt().expected_issuer())}},
      {"auth.jwt.expectedAudience",
       "[audience-7, audience-8]",
       "audience-7 audience-8 ",
       {[](const Effects& e) {
         return Joined(e.agent.jwt().expected_audiences());
       }}},
      {"auth.jwt.expectedSubject",
       "subject-7",
       "subject-7",
       {BAOKMS_AT(agent.jwt().expected_subject())}},
  };
}

std::vector<Row> OAuth2Rows() {
  return {
      {"auth.jwt.oauth2.tokenUrl",
       "https://issuer.example/other",
       "https://issuer.example/other",
       {BAOKMS_AT(agent.oauth2().token_url())}},
      {"auth.jwt.oauth2.clientId", "client-7", "client-7", {BAOKMS_AT(agent.oauth2().client_id())}},
      {"auth.jwt.oauth2.clientSecretFile",
       "/some/secret",
       "/some/secret",
       {BAOKMS_AT(agent.oauth2().client_secret_file())}},
      {"auth.jwt.oauth2.authMethod",
       "client_secret_post",
       std::to_string(ipc::OAuth2Setup::AUTH_METHOD_POST),
       {BAOKMS_AT(agent.oauth2().auth_method())}},
      {"auth.jwt.oauth2.scopes", "[scope-7]", "scope-7 ", {[](const Effects& e) {
         return Joined(e.agent.oauth2().scopes());
       }}},
      {"auth.jwt.oauth2.audience", "for-7", "for-7", {BAOKMS_AT(agent.oauth2().audience())}},
      {"auth.jwt.oauth2.resources",
       "['https://resource.example']",
       "https://resource.example ",
       {[](const Effects& e) {
         return Joined(e.agent.oauth2().resources());
       }}},
  };
}

std::vector<Row> CertRows() {
  return {
      {"auth.cert.mountPath", "auth/third", "auth/third", {BAOKMS_AT(agent.auth_mount())}},
      {"auth.cert.name", "role-9", "role-9", {BAOKMS_AT(agent.pkcs11().role())}},
      {"auth.cert.minRemainingTtl", "47s", "47", {BAOKMS_AT(agent.pkcs11().min_remaining_s())}},
      {"auth.cert.clockSkewLeeway", "49s", "49", {BAOKMS_AT(agent.pkcs11().leeway_s())}},
      {"auth.cert.pkcs11.certificateFile",
       "/some/chain",
       "/some/chain",
       {BAOKMS_AT(agent.pkcs11().certificate_file())}},
      {"auth.cert.pkcs11.modulePath",
       "/some/module",
       "/some/module",
       {BAOKMS_AT(agent.pkcs11().module_path())}},
      {"auth.cert.pkcs11.tokenLabel",
       "token-7",
       "token-7",
       {BAOKMS_AT(agent.pkcs11().token_label())}},
      {"auth.cert.pkcs11.keyLabel", "key-7", "key-7", {BAOKMS_AT(agent.pkcs11().key_label())}},
      {"auth.cert.pkcs11.pinFile",
       "/some/pin",
       "/some/pin",
       {BAOKMS_AT(agent.pkcs11().pin_file())}},
      {"auth.cert.pkcs11.stateDirectory",
       "/some/state",
       "/some/state",
       {BAOKMS_AT(agent.module().state_directory()),
        BAOKMS_AT(spawner.module().state_directory())}},
      {"auth.cert.pkcs11.network",
       "unix",
       std::to_string(ipc::ModuleAccess::NETWORK_UNIX),
       {BAOKMS_AT(agent.module().network()), BAOKMS_AT(spawner.module().network())}},
  };
}

#undef BAOKMS_AT

// Keys that are no value for one of these places: files whose content counts, choices of code that
// runs, addresses that are listened on, and keys that change nothing. Each with the test that would
// fail if the key had no effect; `named_tests` looks whether these tests exist.
const std::map<std::string_view, std::string_view> kElsewhere{
    {"configVersion", "LoadTest.WantsConfigVersionInTheFile"},
    {"server.socketPath", "test_the_socket_is_as_configured"},
    {"server.socketMode", "test_the_socket_is_as_configured"},
    {"server.socketGroup", "test_the_socket_is_as_configured"},
    {"server.metricsAddress", "test_metrics_count_what_happened"},
    {"server.healthAddress", "test_health_takes_get_and_head_only"},
    {"server.allowedPeers.uids", "test_a_peer_that_is_not_allowed_is_turned_away"},
    {"server.allowedPeers.gids", "test_a_peer_that_is_not_allowed_is_turned_away"},
    {"openbao.caCertFile", "test_a_ca_that_the_system_trusts_is_not_enough"},
    {"auth.method", "test_logs_in_with_each_kind_of_key_over_tls_1_3"},
    {"auth.jwt.source", "test_oauth2_grants_log_workers_in"},
    {"auth.jwt.oauth2.caCertFile", "test_oauth2_grants_log_workers_in"},
    {"auth.cert.source", "RelationsTest.SpiffeIsRefusedWithAReason"},
    {"auth.cert.pkcs11.maxSessions", "WarningsTest.NamesWhatIsProbablyNotMeant"},
    {"auth.cert.pkcs11.uri", "test_finds_key_module_and_pin_by_a_uri"},
    {"auth.cert.pkcs11.environment", "test_logs_in_with_each_kind_of_key_over_tls_1_3"},
    {"auth.cert.spiffe.workloadAPISocket", "RelationsTest.SpiffeIsRefusedWithAReason"},
    {"auth.cert.spiffe.spiffeID", "RelationsTest.SpiffeIsRefusedWithAReason"},
    {"auth.cert.spiffe.trustDomain", "RelationsTest.SpiffeIsRefusedWithAReason"},
    {"state.path", "test_a_registry_that_is_not_the_last_one_ends_the_start_with_exit_5"},
    {"rotation.mode", "RulesTest.RefusesEveryBadValueAtItsKey"},
    {"rotation.rejectVersionRollback", "WarningsTest.NamesWhatIsProbablyNotMeant"},
    {"logging.format", "test_the_text_log_reads_like_logfmt"},
    {"logging.logOpenBaoRequestIDs", "test_ids_of_openbao_are_logged_with_permission_only"},
    {"logging.debugCorrelation.enabled", "test_without_incident_mode_no_id_is_logged"},
    {"logging.debugCorrelation.ttl", "test_a_low_value_bites_and_a_high_one_does_not"},
    {"logging.debugCorrelation.incidentId", "test_incident_mode_joins_the_logs_of_both_sides"},
    {"isolation.verifyDecrypt", "test_the_first_decrypts_are_checked_on_another_worker"},
    {"isolation.landlock", "test_landlock_takes_the_credential_from_a_supervisor_of_the_same_user"},
    {"isolation.separateUsers", "test_a_level_that_cannot_be_had_ends_the_start"},
    {"isolation.supervisorUser", "test_the_supervisor_has_its_user_whoever_owns_the_state"},
    {"isolation.workerUser", "test_workers_may_share_a_user"},
    {"isolation.workerUsers", "test_each_process_has_a_user_of_its_own"},
    {"isolation.authAgentUser", "test_each_process_has_a_user_of_its_own"},
};

Effects EffectsOf(const Keys& keys) {
  const LoadResult loaded = Load(YamlOf(keys));
  EXPECT_TRUE(Validate(loaded.document, loaded.problems).empty());
  ServeOptions options;
  options.config = loaded.document.config;
  options.build.version = "v0.0.0-test";
  const Result<SetUps> set_ups = MakeSetUps(options, "salt", nullptr);
  EXPECT_TRUE(set_ups.has_value());
  return {.worker = set_ups->worker,
          .agent = set_ups->agent,
          .spawner = set_ups->spawner,
          .status = StatusOptionsOf(options.config),
          .limits = LimitsOf(options.config.server)};
}

// Changes each key alone, and then looks at the places of all keys.
void ExpectEachInItsPlace(const Keys& base, const std::vector<Row>& rows) {
  for (const Row& changed : rows) {
    SCOPED_TRACE(changed.key);
    const Effects effects = EffectsOf(With(base, changed.key, changed.value));
    for (const Row& row : rows) {
      for (const auto& read : row.read) {
        EXPECT_EQ(read(effects) == row.expected, row.key == changed.key) << row.key;
      }
    }
  }
}

TEST(ConfigurationTest, EachKeyArrivesInItsPlaceAndInNoOther) {
  ExpectEachInItsPlace(JwtKeys(), CommonRows());
  ExpectEachInItsPlace(JwtKeys(), JwtRows());
  ExpectEachInItsPlace(OAuth2Keys(), OAuth2Rows());
  ExpectEachInItsPlace(CertKeys(), CertRows());
}

TEST(ConfigurationTest, EachKeyIsFollowedHereOrElsewhere) {
  std::set<std::string_view> left;
  for (const SchemaRow& row : SchemaTable()) {
    left.insert(row.key);
  }
  const std::vector<std::vector<Row>> tables = {CommonRows(), JwtRows(), OAuth2Rows(), CertRows()};
  for (const std::vector<Row>& rows : tables) {
    for (const Row& row : rows) {
      EXPECT_EQ(left.erase(row.key), 1U) << row.key;
    }
  }
  for (const auto& [key, test] : kElsewhere) {
    EXPECT_EQ(left.erase(key), 1U) << key;
  }
  EXPECT_THAT(left, IsEmpty());
}

}  // namespace
}  // namespace baokms::supervisor
