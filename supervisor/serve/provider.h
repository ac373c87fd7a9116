// The running provider: creates every part of the supervisor in the order that docs/architecture.md
// requires and connects them.

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/base/event_loop.h"
#include "supervisor/children/process_facts.h"
#include "supervisor/config/serve_options.h"
#include "supervisor/kms/accept.h"
#include "supervisor/kms/server.h"
#include "supervisor/kms/service.h"
#include "supervisor/observe/http_listener.h"
#include "supervisor/observe/liveness.h"
#include "supervisor/observe/log_stream.h"
#include "supervisor/observe/prometheus_metrics.h"
#include "supervisor/serve/bootstrap.h"
#include "supervisor/serve/kms_socket.h"
#include "supervisor/serve/kms_socket_watch.h"
#include "supervisor/serve/notify.h"
#include "supervisor/serve/process_tree.h"
#include "supervisor/serve/provider_health.h"
#include "supervisor/serve/signal_watcher.h"
#include "supervisor/serve/start_failure.h"
#include "supervisor/serve/state.h"
#include "supervisor/status/key_status.h"
#include "supervisor/status/scheduler.h"

namespace baokms::supervisor {

// What must exist before the first thread and the first socket.
struct Foundation {
  std::unique_ptr<LogStream> log;
  ServiceNotifier notifier;
  BootstrapResult bootstrap{};
  std::unique_ptr<LockedState> state{};
  KmsSocketOptions socket_options{};
  KmsSocket socket{};
};

// What the configuration says to the parts of the supervisor; the children's part is in set_ups.h.
StatusOptions StatusOptionsOf(const Config& config);
ConcurrencyLimits LimitsOf(const ServerConfig& server);

class Provider final {
 public:
  Provider(const ServeOptions& options, Foundation foundation)
      : options_(options), in_force_(options), base_(std::move(foundation)) {}

  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;
  ~Provider();

  // Creates every part and starts threads, listeners and children; on success the filter is in
  // force and clients are accepted.
  Started<> Start();

  // Runs until a signal arrives or the spawner exits; returns true after an orderly shutdown.
  bool Run();

  // Returns whether a child refused its set-up, so that `serve` ended because of its configuration.
  [[nodiscard]] bool set_up_refused() const { return set_up_refused_; }

 private:
  Started<> BuildTree();
  Started<> BuildStatus();
  Started<> StartListeners();
  Started<> StartServing();
  Started<> StartThreads();
  Started<> EnterSandbox();
  Started<> AcceptClients();
  void BuildService();
  void BuildReports();
  void OnSignal(int signal);
  void Reload();
  void Apply(const Config& next);
  void OnStartFailed(const ChildKey& child, const ipc::StartFailure& failure);
  void BeginStop(std::string_view why);
  void EndOverdueStop();
  void BeatEventLoop();
  void LogReady();

  const ServeOptions& options_;
  ServeOptions in_force_;  // options_ with the changes that SIGHUP applied
  Foundation base_;
  Liveness liveness_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<PrometheusMetrics> metrics_;
  ProcessTable processes_;
  std::unique_ptr<ProcessTree> tree_;
  std::unique_ptr<LoopScheduler> scheduler_;
  std::unique_ptr<KeyStatus> status_;
  std::unique_ptr<KmsSocketWatch> socket_watch_;
  std::unique_ptr<ProviderHealth> own_health_;
  std::unique_ptr<ServiceReporter> reporter_;
  std::unique_ptr<Observers> observers_;
  std::unique_ptr<KmsService> service_;
  std::unique_ptr<KmsServer> server_;
  std::unique_ptr<HttpListener> health_;
  std::unique_ptr<HttpListener> metrics_listener_;
  std::unique_ptr<Acceptor> acceptor_;
  bool stopping_ = false;
  bool failed_ = false;
  std::atomic<bool> set_up_refused_ = false;  // also read by the thread that ends a stuck stop
  std::unique_ptr<SignalWatcher> signals_;    // calls into the members above
};

}  // namespace baokms::supervisor
