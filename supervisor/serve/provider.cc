#include "supervisor/serve/provider.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <unistd.h>

#include <utility>
#include <variant>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "supervisor/config/derived.h"
#include "supervisor/config/reload.h"
#include "supervisor/observe/http_listener.h"
#include "supervisor/serve/sandbox.h"
#include "supervisor/serve/start_failure.h"

namespace baokms::supervisor {
namespace {

// What is in progress gets this long at an ordered end.
constexpr BootTime kGracefulStop = std::chrono::seconds(15);

// How old the service manager's status line may get when only a worker changed.
constexpr BootTime kStatusLineInterval = std::chrono::seconds(10);

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

}  // namespace

Provider::~Provider() {
  // Nobody may call into a part that is gone: first what has threads, then what they use.
  acceptor_.reset();
  server_.reset();
  health_.reset();
  metrics_listener_.reset();
}

std::optional<StartFailure> Provider::Start() {
  if (auto failure = BuildParts()) {
    return failure;
  }
  if (auto failure = BuildStatus()) {
    return failure;
  }
  BuildService();
  if (auto failure = WatchSignals()) {
    return failure;
  }
  if (auto failure = StartListeners()) {
    return failure;
  }
  return StartServing();
}

std::optional<StartFailure> Provider::BuildParts() {
  Result<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop) {
    return Failure("create the event loop", loop.error());
  }
  loop_ = std::move(*loop);
  const BuildInfo& build = options_.build;
  metrics_ = PrometheusMetrics::Create({.version = build.version,
                                        .commit = build.commit,
                                        .build_date = build.build_date,
                                        .dirty = build.dirty},
                                       WordOf(options_.config.auth.method),
                                       options_.config.auth.method == AuthMethod::kCert
                                           ? WordOf(options_.config.auth.cert.source)
                                           : "none");
  auto tree = ProcessTree::Create(
      {.loop = *loop_,
       .log = *base_.log,
       .child_log = *base_.log,
       .metrics = *metrics_,
       .processes = processes_},
      options_.config, std::move(base_.bootstrap),
      {.worker_usable = [this] { status_->OnWorkerUsable(); },
       .start_failed = [this](const ChildKey&,
                              const ipc::StartFailure& failure) { OnStartFailed(failure); },
       .spawner_gone =
           [this] {
             failed_ = failed_ || !stopping_;
             BeginStop("spawner_gone");
           }});
  if (auto* failure = std::get_if<StartFailure>(&tree)) {
    return std::move(*failure);
  }
  tree_ = std::move(std::get<std::unique_ptr<ProcessTree>>(tree));
  return std::nullopt;
}

std::optional<StartFailure> Provider::BuildStatus() {
  scheduler_ = std::make_unique<LoopScheduler>(*loop_);
  Result<std::unique_ptr<KeyStatus>> status =
      KeyStatus::Create({.scheduler = *scheduler_,
                         .gateway = tree_->workers(),
                         .store = base_.state->store(),
                         .log = *base_.log,
                         .metrics = *metrics_},
                        IdentityOf(options_.config), StatusOptionsOf(options_.config));
  if (!status) {
    return Failure("use the key registry", status.error());
  }
  status_ = std::move(*status);
  status_->SetOnChange([this] { OnStatusChange(); });
  metrics_->SetScrape([this] { return Scrape(); });
  processes_.AddSelf();
  return std::nullopt;
}

void Provider::BuildService() {
  observers_ = std::make_unique<Observers>(Observers{.metrics = *metrics_, .log = *base_.log});
  service_ = std::make_unique<KmsService>(
      *loop_, tree_->workers(), *status_, *observers_,
      ServiceOptions{.identity = IdentityOf(options_.config).key,
                     .plugin_version = options_.build.version,
                     .openbao_timeout = options_.config.openbao.timeout,
                     .limits = LimitsOf(options_.config.server)});
}

std::optional<StartFailure> Provider::WatchSignals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    ::sigaddset(&signals, signal);
  }
  // Before the first thread, so that every thread inherits it and signals come here alone.
  if (::sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) {
    return Failure("block signals", Error(ErrorCode::kSystem, "sigprocmask", errno));
  }
  signals_ = UniqueFd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_.valid()) {
    return Failure("watch signals", Error(ErrorCode::kSystem, "signalfd", errno));
  }
  if (const Status watched =
          loop_->Watch(signals_.get(), EPOLLIN, [this](std::uint32_t) { OnSignal(); });
      !watched) {
    return Failure("watch signals", watched.error());
  }
  return std::nullopt;
}

std::optional<StartFailure> Provider::StartListeners() {
  const auto start = [](const char* what, std::string_view address,
                        std::map<std::string, HttpHandler> handlers,
                        std::unique_ptr<HttpListener>& listener) -> std::optional<StartFailure> {
    const std::optional<ListenAddress> at = ListenerOf(address);
    if (!at) {
      return std::nullopt;
    }
    Result<std::unique_ptr<HttpListener>> started =
        HttpListener::Start(at->host, at->port, std::move(handlers));
    if (!started) {
      return Failure(std::string("listen on ") + what, started.error());
    }
    listener = std::move(*started);
    return std::nullopt;
  };
  const ServerConfig& server = options_.config.server;
  if (auto failure = start("server.healthAddress", server.health_address,
                           {{"/live",
                             [] {
                               return LiveReply();
                             }},
                            {"/ready",
                             [this] {
                               return ReadyReply(Ready());
                             }}},
                           health_)) {
    return failure;
  }
  return start("server.metricsAddress", server.metrics_address,
               {{"/metrics",
                 [this] {
                   return HttpReply{.status = 200,
                                    .content_type = "text/plain; version=0.0.4; charset=utf-8",
                                    .body = metrics_->ToText()};
                 }}},
               metrics_listener_);
}

std::optional<StartFailure> Provider::StartServing() {
  Result<std::unique_ptr<KmsServer>> server = KmsServer::Start(*loop_, *service_);
  if (!server) {
    return Failure("start the KMS service", server.error());
  }
  server_ = std::move(*server);
  status_->Start();
  tree_->Start();
  Result<SeccompPolicy> policy = BuildSupervisorPolicy();
  if (!policy) {
    return Failure("build the system call filter", policy.error());
  }
  if (const Status installed = policy->Install(); !installed) {
    return Failure("enter the system call filter", installed.error());
  }
  ipc::ConfinementReport own;
  own.set_filter_name("supervisor");
  processes_.Report("supervisor", own);
  metrics_->Sandbox("supervisor", "seccomp", 1);
  metrics_->ProcessUp("supervisor", 1);
  const AllowedPeers& peers = options_.config.server.allowed_peers;
  Result<std::unique_ptr<Acceptor>> acceptor = Acceptor::Create(
      *loop_, base_.socket.listener.get(),
      {.uids = {peers.uids.begin(), peers.uids.end()},
       .gids = {peers.gids.begin(), peers.gids.end()}},
      *observers_, [this](UniqueFd connection) { server_->Adopt(std::move(connection)); });
  if (!acceptor) {
    return Failure("accept clients", acceptor.error());
  }
  acceptor_ = std::move(*acceptor);
  LogReady();
  base_.notifier.Send("READY=1\nSTATUS=accepting clients, key not verified yet");
  FeedWatchdog();
  RefreshStatusLine();
  return std::nullopt;
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
                              {"isolation", "single-user"},
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
  if (base_.socket.origin != SocketOrigin::kInherited) {
    RemoveKmsSocket(options_.config.server.socket_path);
  }
  return !failed_;
}

void Provider::OnSignal() {
  signalfd_siginfo info{};
  if (::read(signals_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) {
    return;
  }
  if (info.ssi_signo == SIGHUP) {
    Reload();
    return;
  }
  BeginStop(info.ssi_signo == SIGINT ? "sigint" : "sigterm");
}

// All or nothing: a key that is sealed at start refuses the whole reload.
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

// A set-up that was refused once is refused by every successor. The reason is in the log already.
void Provider::OnStartFailed(const ipc::StartFailure& failure) {
  if (failure.code() != static_cast<std::uint32_t>(ErrorCode::kInvalidArgument) || stopping_) {
    return;
  }
  (void)std::fputs(
      ("config invalid; a child process refuses its set-up: " + failure.step() + "\n").c_str(),
      stderr);
  set_up_refused_ = true;
  failed_ = true;
  BeginStop("set_up_refused");
}

void Provider::BeginStop(std::string_view why) {
  if (std::exchange(stopping_, true)) {
    return;
  }
  base_.notifier.Send("STOPPING=1");
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

// Workers come and go without a change of the key's status.
void Provider::RefreshStatusLine() {
  OnStatusChange();
  loop_->After(kStatusLineInterval, [this] { RefreshStatusLine(); });
}

// From the loop, whose standstill is what systemd has to notice.
void Provider::FeedWatchdog() {
  const BootTime within = base_.notifier.watchdog();
  if (within != BootTime::zero()) {
    base_.notifier.Send("WATCHDOG=1");
    loop_->After(within / 2, [this] { FeedWatchdog(); });
  }
}

void Provider::OnStatusChange() {
  const Diagnostics diagnostics = status_->Diagnose();
  std::string line = "STATUS=";
  line.append(diagnostics.ready ? "healthy" : "unhealthy");
  for (const std::string& reason : diagnostics.reasons) {
    line.append(" ").append(reason);
  }
  if (diagnostics.transit_key_version != 0) {
    line.append(", key version ").append(std::to_string(diagnostics.transit_key_version));
  }
  line.append(", workers ").append(std::to_string(WorkersReady()));
  line.append(" of ").append(std::to_string(options_.config.isolation.workers));
  if (line != last_status_line_) {
    base_.notifier.Send(line);
    last_status_line_ = std::move(line);
  }
}

std::uint32_t Provider::WorkersReady() const {
  const std::vector<WorkerState> workers = tree_->workers().Workers();
  return static_cast<std::uint32_t>(std::ranges::count_if(
      workers, [](const WorkerState& worker) { return worker.ready && worker.token_usable; }));
}

AuthVerdict Provider::Auth() const {
  return ClassifyAuth(WordOf(options_.config.auth.method), tree_->credential().Read(UnixNow()),
                      tree_->workers().Workers());
}

ReadyFacts Provider::Ready() const {
  const Diagnostics diagnostics = status_->Diagnose();
  ReadyFacts facts{.ready = diagnostics.ready,
                   .reasons = diagnostics.reasons,
                   .metadata_error_class = diagnostics.metadata_error_class,
                   .deep_error_class = diagnostics.deep_error_class,
                   .healthz = diagnostics.healthz,
                   .cache_age_ms = diagnostics.cache_age_ms,
                   .stale = diagnostics.stale,
                   .rotation_state = diagnostics.rotation_state,
                   .persistence_degraded = diagnostics.persistence_degraded,
                   .key_id_hash = diagnostics.key_id_hash,
                   .transit_key_version = diagnostics.transit_key_version,
                   .workers_ready = WorkersReady(),
                   .rotation_deferred = diagnostics.rotation_deferred,
                   .finding = diagnostics.finding,
                   .isolation_level = "single-user",
                   .processes = {},
                   .auth = Auth()};
  for (const ProcessFacts& process : processes_.Read()) {
    const std::optional<Confinement>& confinement = process.confinement;
    facts.processes.push_back({.process = process.process,
                               .confined = confinement && confinement->seccomp_filter &&
                                           confinement->no_new_privileges &&
                                           confinement->no_capabilities});
  }
  return facts;
}

ScrapeFacts Provider::Scrape() const {
  const AuthVerdict auth = Auth();
  const auto seconds = [](const std::optional<std::int64_t>& left) {
    return static_cast<double>(std::max<std::int64_t>(0, left.value_or(0)));
  };
  ScrapeFacts facts;
  facts.token_ttl_seconds = seconds(auth.token_ends_in_s);
  facts.certificate_ttl_seconds = seconds(auth.certificate_ends_in_s);
  facts.jwt_ttl_seconds = seconds(auth.jwt_ends_in_s);
  facts.login_budget_remaining = static_cast<double>(tree_->login_budget().Remaining(BootNow()));
  facts.status_cache_age_seconds = static_cast<double>(status_->Diagnose().cache_age_ms) / 1000.0;
  for (const ProcessFacts& process : processes_.Read()) {
    if (process.resident_bytes) {
      facts.resident.push_back(
          {.process = process.process, .bytes = static_cast<double>(*process.resident_bytes)});
    }
  }
  return facts;
}

}  // namespace baokms::supervisor
