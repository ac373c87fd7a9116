// The running provider: every part of the supervisor, made in the order that the architecture's
// security argument needs, connected here and nowhere else.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/base/event_loop.h"
#include "common/base/unique_fd.h"
#include "supervisor/children/process_facts.h"
#include "supervisor/config/serve_options.h"
#include "supervisor/kms/accept.h"
#include "supervisor/kms/server.h"
#include "supervisor/kms/service.h"
#include "supervisor/observe/http_listener.h"
#include "supervisor/observe/log_stream.h"
#include "supervisor/observe/prometheus_metrics.h"
#include "supervisor/observe/ready_body.h"
#include "supervisor/serve/bootstrap.h"
#include "supervisor/serve/kms_socket.h"
#include "supervisor/serve/notify.h"
#include "supervisor/serve/process_tree.h"
#include "supervisor/serve/start_failure.h"
#include "supervisor/serve/state.h"
#include "supervisor/status/key_status.h"
#include "supervisor/status/scheduler.h"

namespace baokms::supervisor {

// What exists before the provider, because it has to come before any thread or any socket.
struct Foundation {
  std::unique_ptr<LogStream> log;
  ServiceNotifier notifier;
  BootstrapResult bootstrap;
  std::unique_ptr<LockedState> state;
  KmsSocket socket;
};

class Provider final {
 public:
  Provider(const ServeOptions& options, Foundation foundation)
      : options_(options), in_force_(options), base_(std::move(foundation)) {}

  Provider(const Provider&) = delete;
  Provider& operator=(const Provider&) = delete;
  ~Provider();

  // Builds every part and starts threads, listeners and children; ends with the filter in force and
  // clients accepted. Nothing when it worked.
  std::optional<StartFailure> Start();

  // Runs until a signal or until the spawner is gone; true after an ordered end.
  bool Run();

  // A child refused its set-up: `serve` ended because of its configuration.
  [[nodiscard]] bool set_up_refused() const { return set_up_refused_; }

 private:
  std::optional<StartFailure> BuildParts();
  std::optional<StartFailure> BuildStatus();
  std::optional<StartFailure> StartListeners();
  std::optional<StartFailure> StartServing();
  std::optional<StartFailure> WatchSignals();
  void BuildService();
  void OnSignal();
  void Reload();
  void Apply(const Config& next);
  void OnStartFailed(const ipc::StartFailure& failure);
  void BeginStop(std::string_view why);
  void OnStatusChange();
  void RefreshStatusLine();
  void FeedWatchdog();
  [[nodiscard]] std::uint32_t WorkersReady() const;
  [[nodiscard]] ReadyFacts Ready() const;
  [[nodiscard]] AuthVerdict Auth() const;
  [[nodiscard]] ScrapeFacts Scrape() const;
  void LogReady();

  const ServeOptions& options_;
  ServeOptions in_force_;  // options_ with what SIGHUP changed since
  Foundation base_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<PrometheusMetrics> metrics_;
  ProcessTable processes_;
  std::unique_ptr<ProcessTree> tree_;
  std::unique_ptr<LoopScheduler> scheduler_;
  std::unique_ptr<KeyStatus> status_;
  std::unique_ptr<Observers> observers_;
  std::unique_ptr<KmsService> service_;
  std::unique_ptr<KmsServer> server_;
  std::unique_ptr<HttpListener> health_;
  std::unique_ptr<HttpListener> metrics_listener_;
  std::unique_ptr<Acceptor> acceptor_;
  UniqueFd signals_;
  bool stopping_ = false;
  bool failed_ = false;
  bool set_up_refused_ = false;
  std::string last_status_line_;
};

}  // namespace baokms::supervisor
