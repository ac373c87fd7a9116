#include <sys/stat.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/error.h"
#include "common/setup/url.h"
#include "supervisor/config/auth_method.h"
#include "supervisor/config/derived.h"
#include "supervisor/config/listen_address.h"
#include "supervisor/config/number_text.h"
#include "supervisor/config/schema_table.h"
#include "supervisor/config/text_rules.h"
#include "supervisor/config/validate.h"

namespace baokms::supervisor {
namespace {

// kube-apiserver's timeout for a KMS call unless EncryptionConfiguration sets another one.
constexpr std::chrono::seconds kApiServerTimeout{3};

// A metadata read is reused for five seconds to answer which keys exist; another node must not use
// a new key before every such result has expired. The rest allows for slow reads.
constexpr std::chrono::seconds kSafeActivationDelay{10};

// The auth.cert.pkcs11.maxSessions in use when one signature is made at a time: one session to
// sign, one that keeps the login.
constexpr int kUsedSessions = 2;

void WarnAboutLongTimes(const ConfigDocument& document, std::vector<Problem>& warnings) {
  for (const SchemaRow& row : SchemaTable()) {
    const auto* field = std::get_if<DurationField>(&row.field);
    const auto usual = field == nullptr ? Error(ErrorCode::kNotFound, "no duration")
                                        : ParseDuration(field->usual_max);
    if (usual && field->read(document.config) > *usual) {
      warnings.push_back(
          document.ProblemAt(row.key, std::string("is above ")
                                          .append(field->usual_max)
                                          .append(", which is rarely intended: check the unit")));
    }
  }
}

// Warns about paths that are accepted unchanged but make every request fail with 404.
void WarnAboutPaths(const ConfigDocument& document, std::vector<Problem>& warnings) {
  const Config& config = document.config;
  const std::string mount_key = JoinKey(TraitsOf(config.auth.method).section, "mountPath");
  if (const SchemaRow* const row = FindSchemaRow(mount_key)) {
    const std::string& mount = std::get<TextField>(row->field).read(config);
    // Without a name or with a leading slash it is a problem already.
    if (!IsBlank(mount) && !mount.starts_with('/') && !mount.starts_with("auth/")) {
      warnings.push_back(document.ProblemAt(
          mount_key, "does not begin with auth/, as the paths of auth mounts do: write auth/NAME"));
    }
  }
  if (config.transit.mount_path.starts_with("v1/")) {
    warnings.push_back(document.ProblemAt(
        "transit.mountPath", "begins with v1/, which is added to every request: remove it"));
  }
  const auto check_address = [&](const std::string& text, const std::string& key) {
    const auto address = setup::ParseHttpsAddress(text);
    const bool has_path = address && !address->prefix.empty();
    if (has_path && (address->prefix.ends_with("/v1") || address->prefix.starts_with("/v1/"))) {
      warnings.push_back(document.ProblemAt(
          key, "has a path with /v1, which is added to every request: remove it"));
    } else if (has_path) {
      warnings.push_back(document.ProblemAt(
          key, "has a path, which is right only if a proxy serves OpenBao below it"));
    }
  };
  check_address(config.openbao.address, "openbao.address");
  for (std::size_t i = 0; i < config.openbao.additional_addresses.size(); ++i) {
    check_address(config.openbao.additional_addresses[i],
                  "openbao.additionalAddresses[" + std::to_string(i) + "]");
  }
}

// To connect to a socket takes write permission (unix(7)).
void WarnAboutSocketMode(const ConfigDocument& document, std::vector<Problem>& warnings) {
  const auto mode = SocketMode(document.config);
  if (mode && (*mode & S_IWGRP) == 0) {
    warnings.push_back(document.ProblemAt(
        "server.socketMode",
        "does not let the group write, which connecting needs: no member of server.socketGroup "
        "can connect"));
  }
}

// The listener has no access control of its own.
void WarnAboutMetrics(const ConfigDocument& document, std::vector<Problem>& warnings) {
  const auto listener = ListenerOf(document.config.server.metrics_address);
  if (listener && !IsLoopback(listener->host)) {
    warnings.push_back(document.ProblemAt(
        "server.metricsAddress",
        "is not a loopback address: everyone who can reach it can read the metrics"));
  }
}

// Checks the credential paths as written, before systemd's directory is inserted.
void WarnAboutSystemdJwt(const ConfigDocument& document, std::vector<Problem>& warnings) {
  constexpr std::string_view kKey = "auth.jwt.jwtFile";
  if (document.from_systemd.contains(kKey)) {
    warnings.push_back(
        document.ProblemAt(kKey,
                           "is a systemd credential, which does not change while the service runs: "
                           "a renewed JWT is not noticed before a restart"));
  }
}

}  // namespace

std::vector<Problem> Warnings(const ConfigDocument& document) {
  const Config& config = document.config;
  std::vector<Problem> warnings;
  const auto warn = [&](std::string_view key, std::string message) {
    warnings.push_back(document.ProblemAt(key, std::move(message)));
  };
  if (config.openbao.timeout >= kApiServerTimeout) {
    warn("openbao.timeout",
         "is not below the KMS timeout of the API server, which is 3s unless configured otherwise: "
         "the API server gives up first");
  }
  if (config.bootstrap.retry_interval > config.bootstrap.grace_timeout &&
      config.bootstrap.grace_timeout > Duration(0)) {
    warn("bootstrap.retryInterval",
         "is above bootstrap.graceTimeout: only one probe takes place within it");
  }
  if (config.status.deep_probe_interval < config.status.probe_interval) {
    warn("status.deepProbeInterval",
         "is below status.probeInterval: the probes that only read the key are then unnecessary");
  }
  WarnAboutLongTimes(document, warnings);
  if (config.rotation.activation_delay < kSafeActivationDelay) {
    warn("rotation.activationDelay",
         "is below 10s: a node may use a new key version before the other nodes know its key_id");
  }
  if (config.isolation.workers == 1) {
    warn("isolation.workers",
         "is 1: nothing independent verifies the answer of an Encrypt or a Decrypt, and a rotation "
         "cannot be followed, because a new key version is verified by a second worker");
  }
  if (!config.rotation.reject_version_rollback) {
    warn("rotation.rejectVersionRollback",
         "is false, which has no effect: a rollback is always rejected");
  }
  if (config.auth.cert.pkcs11.max_sessions > kUsedSessions) {
    warn("auth.cert.pkcs11.maxSessions",
         "is above 2, which has no effect: the provider makes one signature at a time");
  }
  if (config.auth.login_budget_per_minute > 0 &&
      config.auth.login_budget_per_minute < config.isolation.workers) {
    warn("auth.loginBudgetPerMinute", "allows less than one login per worker and minute");
  }
  WarnAboutPaths(document, warnings);
  WarnAboutSocketMode(document, warnings);
  WarnAboutMetrics(document, warnings);
  WarnAboutSystemdJwt(document, warnings);
  return warnings;
}

}  // namespace baokms::supervisor
