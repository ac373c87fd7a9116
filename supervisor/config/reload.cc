#include "supervisor/config/reload.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <variant>

#include "supervisor/config/config.h"
#include "supervisor/config/schema_table.h"
#include "supervisor/config/serve_options.h"

namespace baokms::supervisor {
namespace {

constexpr auto kReread = std::to_array<std::string_view>(
    {"logging.level", "server.maxConcurrentStatus", "server.maxConcurrentEncrypt",
     "server.maxConcurrentDecrypt", "auth.loginBeforeTokenExpiry"});

// Identity, endpoints, CA, names and paths: sealed before any socket existed, so that nobody who
// takes the supervisor over later can change them.
constexpr auto kSealed = std::to_array<std::string_view>(
    {"openbao.address", "openbao.additionalAddresses", "openbao.namespace", "openbao.caCertFile",
     "openbao.tlsServerName", "openbao.instanceId", "auth.method", "auth.jwt.", "auth.cert.",
     "transit.", "state.path", "server.socketPath"});

bool Differs(const SchemaRow& row, const Config& a, const Config& b) {
  return std::visit([&](const auto& field) { return field.read(a) != field.read(b); }, row.field);
}

bool IsSealed(std::string_view key) {
  return std::ranges::any_of(kSealed, [key](std::string_view sealed) {
    return sealed.ends_with('.') ? key.starts_with(sealed) : key == sealed;
  });
}

}  // namespace

ReloadPlan PlanReload(const ServeOptions& running, const ServeOptions& next) {
  ReloadPlan plan;
  for (const SchemaRow& row : SchemaTable()) {
    if (!Differs(row, running.config, next.config)) {
      continue;
    }
    if (IsSealed(row.key)) {
      plan.sealed.push_back(row.key);
    } else if (std::ranges::find(kReread, row.key) != kReread.end()) {
      plan.applied.push_back(row.key);
    } else {
      plan.ignored.push_back(row.key);
    }
  }
  // The same path with other certificates in it.
  if (running.openbao_ca_pem != next.openbao_ca_pem &&
      std::ranges::find(plan.sealed, std::string_view("openbao.caCertFile")) == plan.sealed.end()) {
    plan.sealed.push_back("openbao.caCertFile");
  }
  constexpr std::string_view kOAuth2Ca = "auth.jwt.oauth2.caCertFile";
  if (!running.config.auth.jwt.oauth2.ca_cert_file.empty() &&
      running.oauth2_ca_pem != next.oauth2_ca_pem &&
      std::ranges::find(plan.sealed, kOAuth2Ca) == plan.sealed.end()) {
    plan.sealed.push_back(kOAuth2Ca);
  }
  return plan;
}

}  // namespace baokms::supervisor
