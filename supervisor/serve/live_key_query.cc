#include "supervisor/serve/live_key_query.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "supervisor/children/process_facts.h"
#include "supervisor/config/derived.h"
#include "supervisor/observe/label_names.h"
#include "supervisor/observe/log_stream.h"
#include "supervisor/observe/prometheus_metrics.h"
#include "supervisor/serve/bootstrap.h"
#include "supervisor/serve/process_tree.h"
#include "supervisor/serve/sandbox.h"
#include "supervisor/serve/start_failure.h"
#include "supervisor/status/probe_failure.h"
#include "supervisor/status/registry_messages.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {
namespace {

// Maximum time for the start of all processes on a busy machine.
constexpr BootTime kStartLimit = std::chrono::seconds(15);

using MetadataReply = Reply<ipc::MetadataAnswer>;

// Returns whether a worker says this because it has no token. It tells the cause of a failed login
// only roughly.
bool MayLackToken(ipc::Outcome outcome) {
  return outcome == ipc::OUTCOME_AUTH_FAILED || outcome == ipc::OUTCOME_UNAVAILABLE ||
         outcome == ipc::OUTCOME_LOGIN_TIMEOUT;
}

bool LoginFailed(const ipc::AgentStatus& agent) {
  return agent.last_outcome() != ipc::OUTCOME_OK &&
         agent.last_outcome() != ipc::OUTCOME_UNSPECIFIED && !agent.status().empty();
}

}  // namespace

std::string DescribeReadFailure(const ipc::MetadataAnswer& answer, const ipc::AgentStatus& agent) {
  if (answer.outcome() != ipc::OUTCOME_OK) {
    const bool login = MayLackToken(answer.outcome()) && LoginFailed(agent);
    std::string text = "read of the key's metadata failed: ";
    text.append(ErrorClassOf(login ? agent.last_outcome() : answer.outcome()));
    return login ? text.append(" (login: " + NormaliseLabel(agent.status()) + ")") : text;
  }
  if (answer.upsert_outcome() != ipc::OUTCOME_OK) {
    return std::string("read of the mount's disable_upsert failed: ")
        .append(ErrorClassOf(answer.upsert_outcome()));
  }
  return answer.disable_upsert() ? "" : "disable_upsert of the Transit mount is not set";
}

namespace {

// Runs one query, once.
class LiveKeyQuery final {
 public:
  explicit LiveKeyQuery(const ServeOptions& options) : options_(options) {}

  LiveKeyQuery(const LiveKeyQuery&) = delete;
  LiveKeyQuery& operator=(const LiveKeyQuery&) = delete;

  LiveKey Run() {
    if (const Started<> started = Start(); !started) {
      return {.metadata = {}, .failure = started.error().line};
    }
    loop_->After(kStartLimit + 2 * ReadLimit(), [this] { Fail("no answer in time"); });
    if (!loop_->Run() && result_.failure.empty()) {
      result_ = {.metadata = {}, .failure = "the event loop failed"};
    }
    return std::move(result_);
  }

 private:
  Started<> Start() {
    const LoggingConfig& logging = options_.config.logging;
    log_ = std::make_unique<LogStream>(logging.format, logging.level);
    BootstrapResult bootstrap = BAOKMS_TRY(Bootstrap(options_));
    loop_ = BAOKMS_TRY(Step("create the event loop", EventLoop::Create()));
    metrics_ =
        PrometheusMetrics::Create(options_.build, WordOf(options_.config.auth.method), "none");
    tree_ = BAOKMS_TRY(
        ProcessTree::Create({.loop = *loop_,
                             .log = quiet_,
                             .child_log = quiet_,
                             .metrics = *metrics_,
                             .processes = processes_},
                            options_.config, std::move(bootstrap),
                            {.worker_usable = [this] { AskNext(); },
                             .start_failed =
                                 [this](const ChildKey& child, const ipc::StartFailure& failure) {
                                   Fail(ProcessName(child) + " cannot start: " + failure.step());
                                 },
                             .spawner_gone =
                                 [this] {
                                   Fail("the spawner ended");
                                 }}));
    ipc::KeyTable none;
    none.set_generation(1);
    tree_->workers().PublishKeyTable(std::move(none), [] {});
    tree_->Start();
    return Step("enter the system call filter", EnterSupervisorSandbox(ListenerRights::kNone));
  }

  [[nodiscard]] BootTime ReadLimit() const {
    return EffectiveLoginTimeout(options_.config) + 2 * options_.config.openbao.timeout;
  }

  // Starts the next read if none is in progress and a worker is usable: the first one on any
  // worker, the second one on another.
  void AskNext() {
    if (under_way_) {
      return;
    }
    const auto workers = tree_->workers().Workers();
    const bool alone = workers.size() == 1;
    const auto usable = std::ranges::find_if(workers, [&](const WorkerState& worker) {
      return worker.ready && (alone || !first_ || worker.slot != first_->worker.slot);
    });
    if (usable == workers.end()) {
      return;
    }
    under_way_ = true;
    ipc::MetadataRequest request;
    request.set_deadline_ns((BootNow() + ReadLimit()).count());
    const WorkerChoice choice{.only = usable->slot};
    tree_->workers().Submit(std::move(request), choice,
                            [this](const MetadataReply& reply) { OnReply(reply); });
  }

  void OnReply(const MetadataReply& reply) {
    under_way_ = false;
    if (std::string failure = DescribeReadFailure(reply.answer, tree_->events().agent_status());
        !failure.empty()) {
      Fail(std::move(failure));
    } else if (!first_) {
      first_ = reply;
      AskNext();
    } else if (!SaySame(first_->answer, reply.answer)) {
      Fail("two workers read different metadata; try again");
    } else {
      End({.metadata = ToMetadata(reply.answer), .failure = {}});
    }
  }

  void Fail(std::string failure) { End({.metadata = {}, .failure = std::move(failure)}); }

  void End(LiveKey result) {
    result_ = std::move(result);
    tree_->StopRestarting();
    loop_->Stop();
  }

  // Suppresses the command's own log records, which would obscure its error for the operator; with
  // logging.level "debug" they are written.
  class QuietLog final : public LogSink, public ChildLog {
   public:
    explicit QuietLog(const LiveKeyQuery& query) : query_(query) {}

    void Write(const LogRecord& record) override {
      if (Enabled(record.level)) {
        query_.log_->Write(record);
      }
    }

    void WriteChild(std::string_view process,
                    std::int64_t pid,
                    const ipc::LogRecord& record) override {
      if (Enabled(LogLevel::kDebug)) {
        query_.log_->WriteChild(process, pid, record);
      }
    }

    void WriteCausedBy(std::string_view process, const LogRecord& record) override {
      if (Enabled(record.level)) {
        query_.log_->WriteCausedBy(process, record);
      }
    }

    [[nodiscard]] bool Enabled(LogLevel /*level*/) const override {
      return query_.log_->Enabled(LogLevel::kDebug);
    }

   private:
    const LiveKeyQuery& query_;
  };

  const ServeOptions& options_;
  std::unique_ptr<LogStream> log_;
  QuietLog quiet_{*this};
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<PrometheusMetrics> metrics_;
  ProcessTable processes_;
  std::unique_ptr<ProcessTree> tree_;
  std::optional<MetadataReply> first_;
  bool under_way_ = false;
  LiveKey result_;
};

}  // namespace

LiveKey AskForKey(const ServeOptions& options) {
  return LiveKeyQuery(options).Run();
}

}  // namespace baokms::supervisor
