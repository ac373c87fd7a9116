#include "supervisor/serve/provider.h"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <map>
#include <string_view>
#include <utility>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "supervisor/config/auth_method.h"
#include "supervisor/config/derived.h"
#include "supervisor/config/reload.h"
#include "supervisor/serve/ready_body.h"
#include "supervisor/serve/sandbox.h"

namespace baokms::supervisor {
namespace {

// How long calls in progress may take during an orderly shutdown.
constexpr BootTime kGracefulStop = std::chrono::seconds(15);

// The process ends after this long even if a part is stuck; below TimeoutStopSec of the systemd
// unit.
constexpr BootTime kStopLimit = std::chrono::seconds(18);

// How long writing the last log records may take before the process ends.
constexpr BootTime kLastRecords = std::chrono::milliseconds(500);

}  // namespace

StatusOptions StatusOptionsOf(const Config& config) {
  StatusOptions options;
  options.operation_timeout = config.openbao.timeout;
  options.grace_timeout = config.bootstrap.grace_timeout;
  options.retry_interval = config.bootstrap.retry_interval;
  options.probe_interval = config.status.probe_interval;
  options.deep_probe_interval = config.status.deep_probe_interval;
  options.max_staleness = config.status.max_staleness;
  options.rotation.activation_delay = config.rotation.activation_delay;
  options.rotation.required_observations = config.rotation.require_stable_observation_count;
  return options;
}

ConcurrencyLimits LimitsOf(const ServerConfig& server) {
  return {.status = static_cast<std::uint32_t>(server.max_concurrent_status),
          .encrypt = static_cast<std::uint32_t>(server.max_concurrent_encrypt),
          .decrypt = static_cast<std::uint32_t>(server.max_concurrent_decrypt)};
}

Provider::~Provider() {
  // Destruction order: first the parts that have threads, then what those threads use, so that no
  // part is called after its destruction.
  if (socket_watch_ != nullptr) {
    socket_watch_->Stop();
  }
  acceptor_.reset();
  server_.reset();
  health_.reset();
  metrics_listener_.reset();
}

Started<> Provider::Start() {
  BAOKMS_TRY(BuildTree());
  BAOKMS_TRY(BuildStatus());
  BAOKMS_TRY(StartThreads());
  BAOKMS_TRY(StartListeners());
  BAOKMS_TRY(StartServing());
  BAOKMS_TRY(EnterSandbox());
  return AcceptClients();
}

Started<> Provider::BuildTree() {
  loop_ = BAOKMS_TRY(Step("create the event loop", EventLoop::Create()));
  const AuthConfig& auth = options_.config.auth;
  metrics_ = PrometheusMetrics::Create(
      options_.build, WordOf(auth.method),
      TraitsOf(auth.method).key_in_module ? WordOf(auth.cert.source) : "none");
  tree_ = BAOKMS_TRY(ProcessTree::Create(
      {.loop = *loop_,
       .log = *base_.log,
       .child_log = *base_.log,
       .metrics = *metrics_,
       .processes = processes_},
      options_.config, std::move(base_.bootstrap),
      {.worker_usable = [this] { status_->OnWorkerUsable(); },
       .start_failed = [this](const ChildKey& child,
                              const ipc::StartFailure& failure) { OnStartFailed(child, failure); },
       .spawner_gone =
           [this] {
             failed_ = failed_ || !stopping_;
             BeginStop("spawner_gone");
           }}));
  return {};
}

Started<> Provider::BuildStatus() {
  scheduler_ = std::make_unique<LoopScheduler>(*loop_);
  auto status = KeyStatus::Create({.scheduler = *scheduler_,
                                   .workers = tree_->workers(),
                                   .store = *base_.state->store,
                                   .log = *base_.log,
                                   .metrics = *metrics_},
                                  IdentityOf(options_.config), StatusOptionsOf(options_.config));
  status_ = BAOKMS_TRY(Step("use the key registry", std::move(status)));
  processes_.AddSelf();
  BuildService();
  BuildReports();
  return {};
}

void Provider::BuildReports() {
  socket_watch_ = std::make_unique<KmsSocketWatch>(
      *loop_, *base_.log, *metrics_, base_.socket, base_.socket_options,
      [this](int listener) { acceptor_->ListenOn(listener); });
  own_health_ = std::make_unique<ProviderHealth>(ProviderHealth::Sources{.config = options_.config,
                                                                         .status = *status_,
                                                                         .tree = *tree_,
                                                                         .processes = processes_,
                                                                         .socket = *socket_watch_,
                                                                         .log = *base_.log});
  reporter_ = std::make_unique<ServiceReporter>(*loop_, base_.notifier,
                                                [this] { return own_health_->StatusLine(); });
  status_->SetOnChange([this] { reporter_->Update(); });
  metrics_->SetScrape([this] { return own_health_->Scrape(); });
}

void Provider::BuildService() {
  observers_ = std::make_unique<Observers>(Observers{.metrics = *metrics_, .log = *base_.log});
  service_ = std::make_unique<KmsService>(
      *loop_, tree_->workers(), *status_, *observers_,
      ServiceOptions{.identity = IdentityOf(options_.config).key,
                     .plugin_version = options_.build.version,
                     .openbao_timeout = options_.config.openbao.timeout,
                     .limits = LimitsOf(options_.config.server),
                     .verify_decrypt = options_.config.isolation.verify_decrypt});
}

// Starts the first threads. The signal watcher comes first, because it blocks the signals in all
// threads that start after it.
Started<> Provider::StartThreads() {
  auto signals = SignalWatcher::Create(
      {.on_signal = [this](int signal) { loop_->Post([this, signal] { OnSignal(signal); }); },
       .on_overdue = [this] { EndOverdueStop(); },
       .stop_limit = kStopLimit});
  signals_ = BAOKMS_TRY(Step("watch signals", std::move(signals)));
  return Step("set up the log", base_.log->StartThread());
}

Started<> Provider::StartListeners() {
  const auto start = [](std::string_view what, std::string_view address,
                        std::map<std::string, HttpHandler> handlers,
                        std::unique_ptr<HttpListener>& listener) -> Started<> {
    if (const std::optional<ListenAddress> at = ListenerOf(address)) {
      listener = BAOKMS_TRY(Step(std::string("listen on ").append(what),
                                 HttpListener::Start(at->host, at->port, std::move(handlers))));
    }
    return {};
  };
  const ServerConfig& server = options_.config.server;
  const HttpHandler live = [this] {
    return LiveReply(liveness_.Stuck());
  };
  const HttpHandler ready = [this] {
    return ReadyReply(own_health_->Ready());
  };
  const HttpHandler metrics = [this] {
    return HttpReply{.status = 200,
                     .content_type = "text/plain; version=0.0.4; charset=utf-8",
                     .body = metrics_->ToText()};
  };
  BAOKMS_TRY(start("server.healthAddress", server.health_address,
                   {{"/live", live}, {"/ready", ready}}, health_));
  return start("server.metricsAddress", server.metrics_address, {{"/metrics", metrics}},
               metrics_listener_);
}

Started<> Provider::StartServing() {
  auto server =
      KmsServer::Start(*loop_, *service_, [this] { liveness_.Beat(ServingThread::kKmsQueue); });
  server_ = BAOKMS_TRY(Step("start the KMS service", std::move(server)));
  status_->Start();
  tree_->Start();
  return {};
}

Started<> Provider::EnterSandbox() {
  BAOKMS_TRY(Step("enter the system call filter",
                  EnterSupervisorSandbox(base_.socket.origin == SocketOrigin::kInherited
                                             ? ListenerRights::kNone
                                             : ListenerRights::kBindKmsSocket)));
  processes_.ReportSelf({.filter = kSupervisorFilterName,
                         .landlock_abi = tree_->isolation().landlock.abi,
                         .refused_syscall = kRefusedToSupervisor});
  metrics_->ProcessUp("supervisor", 1);
  return {};
}

Started<> Provider::AcceptClients() {
  const AllowedPeers& peers = options_.config.server.allowed_peers;
  auto acceptor = Acceptor::Create(
      *loop_, base_.socket.listener.get(),
      {.uids = {peers.uids.begin(), peers.uids.end()},
       .gids = {peers.gids.begin(), peers.gids.end()}},
      *observers_, [this](UniqueFd connection) { return server_->Adopt(std::move(connection)); });
  acceptor_ = BAOKMS_TRY(Step("accept clients", std::move(acceptor)));
  LogReady();
  socket_watch_->Start();
  reporter_->Ready();
  BeatEventLoop();
  return {};
}

void Provider::LogReady() {
  if (base_.socket.origin == SocketOrigin::kReplacedDead) {
    metrics_->SocketRestarted();
    base_.log->Write({.level = LogLevel::kWarn,
                      .event = "socket.stale_removed",
                      .fields = {{"operation", "socket.stale_removed"}, {"status", "ok"}}});
  }
  LogRecord record{.level = LogLevel::kInfo,
                   .event = "serve.ready",
                   .fields = {{"operation", "serve.ready"},
                              {"status", "ok"},
                              {"isolation", ToText(tree_->isolation().level)},
                              {"workers", std::int64_t{options_.config.isolation.workers}}}};
  if (health_ != nullptr) {
    record.fields.emplace_back("health_port", std::int64_t{health_->port()});
  }
  if (metrics_listener_ != nullptr) {
    record.fields.emplace_back("metrics_port", std::int64_t{metrics_listener_->port()});
  }
  base_.log->Write(record);
}

bool Provider::Run() {
  if (const Status ran = loop_->Run(); !ran) {
    failed_ = true;
  }
  RemoveKmsSocket(options_.config.server.socket_path, base_.socket);
  return !failed_;
}

void Provider::OnSignal(int signal) {
  if (signal == SIGHUP) {
    Reload();
  } else {
    BeginStop(signal == SIGINT ? "sigint" : "sigterm");
  }
}

// All or nothing: a changed key that is sealed at start rejects the whole reload.
void Provider::Reload() {
  const auto log = [this](LogLevel level, std::string_view status, std::string_view key) {
    LogRecord record{.level = level,
                     .event = "config.reload",
                     .fields = {{"operation", "config.reload"}, {"status", std::string(status)}}};
    if (!key.empty()) {
      record.fields.emplace_back("key", std::string(key));
    }
    base_.log->Write(record);
  };
  const ReloadedOptions next = options_.reload();
  if (next.options == nullptr) {
    log(LogLevel::kError, "invalid", next.refusal);
    return;
  }
  const ReloadPlan plan = PlanReload(in_force_, *next.options);
  for (const std::string_view key : plan.sealed) {
    log(LogLevel::kError, "refused_needs_restart", key);
  }
  if (!plan.sealed.empty()) {
    return;
  }
  for (const std::string_view key : plan.ignored) {
    log(LogLevel::kWarn, "not_applied_needs_restart", key);
  }
  for (const std::string_view key : plan.applied) {
    log(LogLevel::kInfo, "applied", key);
  }
  Apply(next.options->config);
  log(LogLevel::kInfo, "ok", "");
}

void Provider::Apply(const Config& next) {
  Config& config = in_force_.config;
  config.logging.level = next.logging.level;
  config.server.max_concurrent_status = next.server.max_concurrent_status;
  config.server.max_concurrent_encrypt = next.server.max_concurrent_encrypt;
  config.server.max_concurrent_decrypt = next.server.max_concurrent_decrypt;
  config.auth.login_before_token_expiry = next.auth.login_before_token_expiry;
  const LogLevel level = config.logging.level;
  base_.log->SetLevel(level);
  service_->SetLimits(LimitsOf(next.server));
  ipc::Tunables tunables;
  tunables.set_log_level(static_cast<std::uint32_t>(level));
  tunables.set_refresh_before_ns(next.auth.login_before_token_expiry.count());
  tree_->events().SetTunables(tunables);
}

// Every restarted child would refuse the same set-up. The reason has already been logged.
void Provider::OnStartFailed(const ChildKey& child, const ipc::StartFailure& failure) {
  // A set-up that was accepted once is not what is refused later: another cause must not end a
  // provider that serves. Each role has a set-up of its own, and the workers may accept theirs
  // long before the agent refuses its own.
  if (failure.code() != static_cast<std::uint32_t>(ErrorCode::kInvalidArgument) || stopping_ ||
      tree_->events().HasAcceptedSetUp(child.role)) {
    return;
  }
  base_.log->WriteLine("config invalid; a child process refuses its set-up: " + failure.step());
  set_up_refused_ = true;
  failed_ = true;
  BeginStop("set_up_refused");
}

void Provider::BeginStop(std::string_view why) {
  if (std::exchange(stopping_, true)) {
    return;
  }
  if (signals_ != nullptr) {
    signals_->BeginStop();
  }
  reporter_->Stopping();
  socket_watch_->Stop();
  base_.log->Write({.level = failed_ ? LogLevel::kError : LogLevel::kInfo,
                    .event = "serve.stopping",
                    .fields = {{"operation", "serve.stopping"}, {"reason", std::string(why)}}});
  if (tree_ != nullptr) {
    tree_->StopRestarting();
  }
  if (acceptor_ != nullptr && !failed_) {
    acceptor_->Stop();
  }
  if (server_ == nullptr) {
    loop_->Stop();
    return;
  }
  server_->Shutdown(BootNow() + kGracefulStop, [this] { loop_->Stop(); });
}

// Runs on the signal watcher's thread: the shutdown is stuck, possibly in a part that no destructor
// can end.
void Provider::EndOverdueStop() {
  base_.log->Write({.level = LogLevel::kError,
                    .event = "serve.shutdown",
                    .fields = {{"operation", "serve.shutdown"}, {"status", "stop_timed_out"}}});
  base_.log->Flush(kLastRecords);
  ::_exit(set_up_refused_ ? kConfigurationFailed : kRuntimeFailed);
}

void Provider::BeatEventLoop() {
  liveness_.Beat(ServingThread::kEventLoop);
  loop_->After(Liveness::kInterval, [this] { BeatEventLoop(); });
}

}  // namespace baokms::supervisor
