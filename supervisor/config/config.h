// The provider's configuration as plain values, one member per key of the file.
//
// Holds what was written and nothing derived: derived.h turns a validated Config into addresses,
// modes and effective limits. No member has a default here; defaults come from schema_table.h
// alone.

#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "common/base/log.h"
#include "supervisor/config/auth_method.h"
#include "supervisor/config/choices.h"
#include "supervisor/observe/log_format.h"

namespace baokms::supervisor {

using Duration = std::chrono::nanoseconds;

struct AllowedPeers {
  std::vector<std::uint32_t> uids;
  std::vector<std::uint32_t> gids;
};

struct ServerConfig {
  std::string socket_path;
  std::string socket_mode;
  std::string socket_group;
  std::string metrics_address;
  std::string health_address;
  int max_concurrent_status{};
  int max_concurrent_encrypt{};
  int max_concurrent_decrypt{};
  AllowedPeers allowed_peers;
};

struct OpenBaoConfig {
  std::string address;
  std::vector<std::string> additional_addresses;
  std::string openbao_namespace;
  std::string ca_cert_file;
  std::string tls_server_name;
  Duration timeout{};
  std::string instance_id;
};

struct OAuth2Config {
  std::string token_url;
  std::string client_id;
  std::string client_secret_file;
  OAuth2ClientAuth auth_method{};
  std::vector<std::string> scopes;
  std::string audience;
  std::vector<std::string> resources;
  std::string ca_cert_file;
};

struct JwtConfig {
  JwtSource source{};
  std::string mount_path;
  std::string role;
  std::string jwt_file;
  Duration min_remaining_ttl{};
  Duration clock_skew_leeway{};
  std::string expected_issuer;
  std::vector<std::string> expected_audience;
  std::string expected_subject;
  OAuth2Config oauth2;
};

struct Pkcs11Config {
  std::string certificate_file;
  std::string module_path;
  std::string token_label;
  std::string key_label;
  std::string pin_file;
  int max_sessions{};
  std::string uri;
  std::vector<std::string> environment;
  std::string state_directory;
  ModuleNetwork network{};
};

struct SpiffeConfig {
  std::string workload_api_socket;
  std::string spiffe_id;
  std::string trust_domain;
};

struct CertConfig {
  std::string mount_path;
  std::string name;
  Duration min_remaining_ttl{};
  Duration clock_skew_leeway{};
  CertSource source{};
  Pkcs11Config pkcs11;
  SpiffeConfig spiffe;
};

struct AuthConfig {
  AuthMethod method{};
  Duration login_before_token_expiry{};
  Duration token_renewal_increment{};
  Duration login_timeout{};
  int login_budget_per_minute{};
  // No key: the credential's path was written with ${CREDENTIALS_DIRECTORY}.
  bool credential_from_systemd = false;
  JwtConfig jwt;
  CertConfig cert;
};

struct KeyIdScope {
  std::string provider_name;
  std::string cluster_id;
  std::string transit_mount_id;
  std::string key_lineage_id;
};

struct TransitConfig {
  std::string mount_path;
  std::string key_name;
  KeyIdScope key_id_scope;
};

struct BootstrapConfig {
  Duration grace_timeout{};
  Duration retry_interval{};
};

struct StatusConfig {
  Duration probe_interval{};
  Duration deep_probe_interval{};
  Duration max_staleness{};
};

struct StateConfig {
  std::string path;
};

struct RotationConfig {
  RotationMode mode{};
  Duration activation_delay{};
  int require_stable_observation_count{};
  bool reject_version_rollback{};
};

struct DebugCorrelationConfig {
  bool enabled{};
  Duration ttl{};
  std::string incident_id;
};

struct LoggingConfig {
  LogLevel level{};
  LogFormat format{};
  bool log_openbao_request_ids{};
  DebugCorrelationConfig debug_correlation;
};

struct IsolationConfig {
  int workers{};
  SeparateUsers separate_users{};
  std::string supervisor_user;
  std::string worker_user;
  std::vector<std::string> worker_users;
  std::string auth_agent_user;
  LandlockUse landlock{};
  VerifyDecrypt verify_decrypt{};
};

struct Config {
  ConfigVersion config_version{};
  ServerConfig server;
  OpenBaoConfig openbao;
  AuthConfig auth;
  TransitConfig transit;
  BootstrapConfig bootstrap;
  StatusConfig status;
  StateConfig state;
  RotationConfig rotation;
  LoggingConfig logging;
  IsolationConfig isolation;
};

}  // namespace baokms::supervisor
