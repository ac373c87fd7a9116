#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "supervisor/config/duration_text.h"
#include "supervisor/config/field_rules.h"
#include "supervisor/config/schema_table.h"
#include "supervisor/config/validate.h"

namespace baokms::supervisor {
namespace {

// kube-apiserver gives a KMS call 3 s unless EncryptionConfiguration says otherwise.
constexpr std::chrono::seconds kApiServerTimeout{3};

// A metadata read answers for five seconds what keys there are; a peer must not use a new one
// before every such answer is void. The rest is for slow reads.
constexpr std::chrono::seconds kSafeActivationDelay{10};

// auth.cert.pkcs11.maxSessions that ask for one signature at a time: one session to sign, one that
// keeps the login.
constexpr int kUsedSessions = 2;

struct SensibleMax {
  std::string_view key;
  std::string_view text;
};

// Above these a value still works, but is more likely a wrong unit than a decision.
constexpr std::array<SensibleMax, 12> kSensibleMaxima{{
    {"auth.loginBeforeTokenExpiry", "24h"},
    {"auth.tokenRenewalIncrement", "768h"},  // OpenBao's own default maximum
    {"auth.loginTimeout", "1m"},
    {"auth.jwt.minRemainingTtl", "24h"},
    {"auth.jwt.clockSkewLeeway", "5m"},
    {"auth.cert.minRemainingTtl", "2160h"},
    {"auth.cert.clockSkewLeeway", "5m"},
    {"bootstrap.graceTimeout", "15m"},
    {"status.probeInterval", "5m"},
    {"status.deepProbeInterval", "1h"},
    {"status.statusMaxStaleness", "15m"},
    {"rotation.activationDelay", "24h"},
}};

Duration ReadDuration(std::string_view key, const Config& config) {
  const SchemaRow* row = FindSchemaRow(key);
  const auto* field = row == nullptr ? nullptr : std::get_if<DurationField>(&row->field);
  return field == nullptr ? Duration(0) : field->read(config);
}

// The credential paths as written, before systemd's directory is put in.
void WarnAboutSystemdJwt(const ConfigDocument& document, std::vector<Problem>& warnings) {
  if (document.jwt_from_systemd) {
    warnings.push_back(document.ProblemAt(
        "auth.jwt.jwtFile",
        "a systemd credential is fixed while the service runs: a renewed JWT is not seen"));
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
    warn("openbao.timeout", "is not below the API server's KMS timeout, 3s unless configured");
  }
  if (config.bootstrap.retry_interval > config.bootstrap.grace_timeout &&
      config.bootstrap.grace_timeout > Duration(0)) {
    warn("bootstrap.retryInterval", "is above bootstrap.graceTimeout");
  }
  if (config.status.deep_probe_interval < config.status.probe_interval) {
    warn("status.deepProbeInterval", "is below status.probeInterval");
  }
  for (const SensibleMax& max : kSensibleMaxima) {
    const auto limit = ParseDuration(max.text);
    if (limit.has_value() && ReadDuration(max.key, config) > *limit) {
      warn(max.key, "is above " + std::string(max.text) + ", which is rarely meant");
    }
  }
  if (config.rotation.activation_delay < kSafeActivationDelay) {
    warn("rotation.activationDelay", "is below 10s: nodes may call a peer's new key_id unknown");
  }
  if (config.isolation.workers == 1) {
    warn("isolation.workers", "1 can not follow a rotation: a new key version needs two workers");
  }
  if (!config.rotation.reject_version_rollback) {
    warn("rotation.rejectVersionRollback", "false has no effect: a rollback is always rejected");
  }
  if (config.auth.cert.pkcs11.max_sessions > kUsedSessions) {
    warn("auth.cert.pkcs11.maxSessions",
         "above 2 has no effect: one session makes one signature at a time, as 2 ask for");
  }
  if (config.auth.login_budget_per_minute > 0 &&
      config.auth.login_budget_per_minute < config.isolation.workers) {
    warn("auth.loginBudgetPerMinute", "is less than one login per worker");
  }
  WarnAboutSystemdJwt(document, warnings);
  return warnings;
}

}  // namespace baokms::supervisor
