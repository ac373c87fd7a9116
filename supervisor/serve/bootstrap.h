// Start-up steps 1 and 2, for `serve` and for every command that reads from OpenBao: everything
// that must be sealed or dropped before this process has a socket or a second thread.

#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "supervisor/broker/broker.h"
#include "supervisor/children/start_spawner.h"
#include "supervisor/config/serve_options.h"
#include "supervisor/serve/isolation_facts.h"
#include "supervisor/serve/pin_attempt_guard.h"
#include "supervisor/serve/start_failure.h"

namespace baokms::supervisor {

struct BootstrapResult {
  SpawnerProcess spawner;
  // The endpoints that the endpoint numbers in the sealed set-ups refer to.
  std::vector<BrokerEndpoint> endpoints;
  std::uint32_t openbao_endpoints = 0;  // how many of them, from the first on, are OpenBao's
  std::unique_ptr<PinAttemptGuard> pin_attempt_guard;  // null without a PKCS#11 module
  IsolationFacts isolation{};
};

// Seals the children's set-ups, hardens this process, drops its capabilities permanently and starts
// the spawner. Must run once per process, before it has a second thread.
Started<BootstrapResult> Bootstrap(const ServeOptions& options);

}  // namespace baokms::supervisor
