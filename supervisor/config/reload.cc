#include "supervisor/config/reload.h"

#include <algorithm>
#include <variant>

#include "supervisor/config/config.h"
#include "supervisor/config/schema_table.h"

namespace baokms::supervisor {
namespace {

bool Differs(const SchemaRow& row, const Config& a, const Config& b) {
  return std::visit([&](const auto& field) { return field.read(a) != field.read(b); }, row.field);
}

std::vector<std::string_view>& ListFor(Reload reload, ReloadPlan& plan) {
  switch (reload) {
    case Reload::kApplied:
      return plan.applied;
    case Reload::kSealed:
      return plan.sealed;
    case Reload::kRestart:
      break;
  }
  return plan.ignored;
}

// Treats a file with the same path but different content as a changed key.
void SealContent(std::string_view key, bool changed, ReloadPlan& plan) {
  if (changed && std::ranges::find(plan.sealed, key) == plan.sealed.end()) {
    plan.sealed.push_back(key);
  }
}

}  // namespace

ReloadPlan PlanReload(const ServeOptions& running, const ServeOptions& next) {
  ReloadPlan plan;
  for (const SchemaRow& row : SchemaTable()) {
    if (Differs(row, running.config, next.config)) {
      ListFor(row.reload, plan).push_back(row.key);
    }
  }
  SealContent("openbao.caCertFile", running.openbao_ca_pem != next.openbao_ca_pem, plan);
  SealContent("auth.jwt.oauth2.caCertFile",
              !running.config.auth.jwt.oauth2.ca_cert_file.empty() &&
                  running.oauth2_ca_pem != next.oauth2_ca_pem,
              plan);
  return plan;
}

}  // namespace baokms::supervisor
