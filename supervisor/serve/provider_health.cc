#include "supervisor/serve/provider_health.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "supervisor/serve/credential_status.h"
#include "supervisor/status/status_cache.h"
#include "supervisor/workers/worker_set.h"

namespace baokms::supervisor {
namespace {

void AddProcess(const ProcessFacts& process, ScrapeFacts& facts) {
  const auto add = [&](std::string mechanism, bool in_force) {
    facts.sandbox.push_back(
        {.process = process.process, .mechanism = std::move(mechanism), .in_force = in_force});
  };
  const std::optional<Confinement>& confinement = process.confinement;
  add("seccomp", process.filters_in_force);
  add("no_new_privileges", confinement && confinement->no_new_privileges);
  add("capabilities", process.capabilities_as_permitted);
  if (process.resident_bytes) {
    facts.resident.push_back(
        {.process = process.process, .bytes = static_cast<double>(*process.resident_bytes)});
  }
}

}  // namespace

// The key's status, and whether clients can reach the KMS socket.
Diagnostics ProviderHealth::Diagnose() const {
  Diagnostics diagnostics = sources_.status.Diagnose();
  if (sources_.socket.missing()) {
    diagnostics.ready = false;
    diagnostics.reasons.insert(diagnostics.reasons.begin(), "socket_missing");
  }
  return diagnostics;
}

std::uint32_t ProviderHealth::WorkersReady() const {
  const std::vector<WorkerState> workers = sources_.tree.workers().Workers();
  return static_cast<std::uint32_t>(std::ranges::count_if(
      workers, [](const WorkerState& worker) { return worker.ready && worker.token_usable; }));
}

AuthFacts ProviderHealth::Auth() const {
  return sources_.tree.credential().Read(sources_.tree.workers().Workers(), UnixNow());
}

ReadyFacts ProviderHealth::Ready() const {
  return {.status = Diagnose(),
          .workers_ready = WorkersReady(),
          .isolation = {.decided = sources_.tree.isolation(),
                        .inherited_filters = sources_.processes.inherited_filters(),
                        .processes = sources_.processes.Read()},
          .auth = Auth()};
}

ScrapeFacts ProviderHealth::Scrape() const {
  const AuthFacts auth = Auth();
  const auto seconds = [](const std::optional<std::int64_t>& left) {
    return static_cast<double>(std::max<std::int64_t>(0, left.value_or(0)));
  };
  ScrapeFacts facts;
  facts.token_ttl_seconds = seconds(auth.token_ends_in_s);
  facts.certificate_ttl_seconds = seconds(auth.certificate_ends_in_s);
  facts.jwt_ttl_seconds = seconds(auth.jwt_ends_in_s);
  facts.login_budget_remaining =
      static_cast<double>(sources_.tree.login_budget().Remaining(BootNow()));
  facts.status_cache_age_seconds =
      static_cast<double>(sources_.status.Diagnose().cache_age_ms) / 1000.0;
  facts.log_records_dropped = sources_.log.Dropped();
  for (const ProcessFacts& process : sources_.processes.Read()) {
    facts.log_records_dropped.try_emplace(process.process, 0);
    AddProcess(process, facts);
  }
  return facts;
}

std::string ProviderHealth::StatusLine() const {
  const Diagnostics diagnostics = Diagnose();
  std::string line = diagnostics.ready ? "healthy" : "unhealthy";
  for (const std::string& reason : diagnostics.reasons) {
    line.append(" ").append(reason);
  }
  if (diagnostics.transit_key_version != 0) {
    line.append(", key version ").append(std::to_string(diagnostics.transit_key_version));
  }
  line.append(", workers ").append(std::to_string(WorkersReady()));
  line.append(" of ").append(std::to_string(sources_.config.isolation.workers));
  return line;
}

}  // namespace baokms::supervisor
