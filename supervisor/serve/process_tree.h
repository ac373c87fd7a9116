// The children of one supervisor with everything that carries their messages: the broker, the
// worker pool, the agent's channel and restarts. The owner decides which requests they handle.

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "supervisor/broker/broker.h"
#include "supervisor/children/children.h"
#include "supervisor/children/process_facts.h"
#include "supervisor/config/config.h"
#include "supervisor/observe/metrics.h"
#include "supervisor/serve/bootstrap.h"
#include "supervisor/serve/child_event_handler.h"
#include "supervisor/serve/credential_status.h"
#include "supervisor/serve/isolation_facts.h"
#include "supervisor/serve/login_budget.h"
#include "supervisor/serve/pin_attempt_guard.h"
#include "supervisor/serve/start_failure.h"
#include "supervisor/workers/worker_set.h"

namespace baokms::supervisor {

// References must outlive the tree.
struct ProcessTreeParts {
  EventLoop& loop;
  LogSink& log;
  ChildLog& child_log;
  Metrics& metrics;
  ProcessTable& processes;
};

// Belongs to the loop's thread, except for the thread-safe functions of WorkerSet.
class ProcessTree final {
 public:
  struct Hooks {
    std::function<void()> worker_usable;  // a worker became ready or received a token
    // As ChildEventHandlerParts::start_failed; may be empty.
    std::function<void(const ChildKey&, const ipc::StartFailure&)> start_failed{};
    std::function<void()> spawner_gone;
  };

  // Creates the tree without starting any child. Takes the spawner's channel and the endpoints out
  // of `bootstrap`.
  static Started<std::unique_ptr<ProcessTree>> Create(const ProcessTreeParts& parts,
                                                      const Config& config,
                                                      BootstrapResult bootstrap,
                                                      Hooks hooks);

  ProcessTree(const ProcessTree&) = delete;
  ProcessTree& operator=(const ProcessTree&) = delete;
  ~ProcessTree() = default;

  // Starts the agent and the workers, and restarts them when they exit.
  void Start();

  // Starts no more children.
  void StopRestarting() { children_->StopRestarting(); }

  [[nodiscard]] WorkerSet& workers() { return *workers_; }

  [[nodiscard]] const WorkerSet& workers() const { return *workers_; }

  [[nodiscard]] ChildEventHandler& events() { return *events_; }

  // These may be called from any thread.
  [[nodiscard]] const CredentialStatus& credential() const { return credential_; }

  [[nodiscard]] const LoginBudget& login_budget() const { return login_budget_; }

  // What was decided at the start.
  [[nodiscard]] const IsolationFacts& isolation() const { return isolation_; }

 private:
  ProcessTree(const Config& config, const IsolationFacts& isolation);

  std::uint32_t slots_;
  IsolationFacts isolation_;
  CredentialStatus credential_;
  LoginBudget login_budget_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<PinAttemptGuard> pin_attempt_guard_;
  std::unique_ptr<ChildEventHandler> events_;
  std::unique_ptr<WorkerSet> workers_;
  std::unique_ptr<Children> children_;
};

}  // namespace baokms::supervisor
