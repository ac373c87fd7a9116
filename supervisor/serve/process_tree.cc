#include "supervisor/serve/process_tree.h"

#include <sys/types.h>

#include <utility>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "supervisor/config/derived.h"

namespace baokms::supervisor {
namespace {

// A name lookup may take this fraction of a request's time, and connecting as much
// (docs/architecture.md).
constexpr int kConnectShare = 3;

}  // namespace

ProcessTree::ProcessTree(const Config& config, const IsolationFacts& isolation)
    : slots_(static_cast<std::uint32_t>(config.isolation.workers)),
      isolation_(isolation),
      credential_(config.auth.method),
      login_budget_(static_cast<std::size_t>(EffectiveLoginBudget(config))) {
}

Started<std::unique_ptr<ProcessTree>> ProcessTree::Create(const ProcessTreeParts& parts,
                                                          const Config& config,
                                                          BootstrapResult bootstrap,
                                                          Hooks hooks) {
  std::unique_ptr<ProcessTree> tree(new ProcessTree(config, bootstrap.isolation));
  if (bootstrap.isolation.level == IsolationLevel::kSeparateUsers) {
    parts.processes.Permit(ProcessName(kSpawnerKey), kUserCapabilities);
  }
  tree->broker_ =
      BAOKMS_TRY(Step("set up name lookups",
                      Broker::Create(parts.loop, parts.metrics, std::move(bootstrap.endpoints),
                                     config.openbao.timeout / kConnectShare)));
  tree->pin_attempt_guard_ = std::move(bootstrap.pin_attempt_guard);
  tree->events_ = std::make_unique<ChildEventHandler>(
      ChildEventHandlerParts{.loop = parts.loop,
                             .broker = *tree->broker_,
                             .openbao_endpoints = bootstrap.openbao_endpoints,
                             .login_budget = tree->login_budget_,
                             .credential = tree->credential_,
                             .log = parts.log,
                             .metrics = parts.metrics,
                             .processes = parts.processes,
                             .child_log = parts.child_log,
                             .worker_usable = std::move(hooks.worker_usable),
                             .start_failed = std::move(hooks.start_failed),
                             .pin_attempt_guard = tree->pin_attempt_guard_.get()});
  ChildEventHandler& events = *tree->events_;
  tree->workers_ = std::make_unique<WorkerSet>(parts.loop, events, std::size_t{tree->slots_});
  auto children = Children::Create(
      parts.loop, parts.log, parts.metrics, events, std::move(bootstrap.spawner),
      {.started = [&events](const ChildKey& key,
                            UniqueFd channel) { events.OnStarted(key, std::move(channel)); },
       .ended = [&events](const ChildKey& key,
                          const ExitStatus& exit_status) { events.OnEnded(key, exit_status); },
       .spawner_gone = std::move(hooks.spawner_gone)});
  tree->children_ = BAOKMS_TRY(Step("watch the spawner", std::move(children)));
  events.Connect(*tree->workers_, *tree->children_);
  return tree;
}

void ProcessTree::Start() {
  children_->Start(slots_);
}

}  // namespace baokms::supervisor
