// Owns the key's status: starts and repeats the probes, evaluates their results, and publishes the
// view that Status, Encrypt and Decrypt work from. Failed probes never end the program.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "common/contract/identity.h"
#include "supervisor/observe/metrics.h"
#include "supervisor/registry/registry_store.h"
#include "supervisor/status/async_mutex.h"
#include "supervisor/status/contradictions.h"
#include "supervisor/status/deep_probe.h"
#include "supervisor/status/discovery.h"
#include "supervisor/status/health_tracker.h"
#include "supervisor/status/metadata_probe.h"
#include "supervisor/status/probe_schedule.h"
#include "supervisor/status/registry_publisher.h"
#include "supervisor/status/rotation_machine.h"
#include "supervisor/status/scheduler.h"
#include "supervisor/status/status_cache.h"
#include "supervisor/status/status_reporter.h"
#include "supervisor/status/status_source.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// Everything must outlive the object. `store` must be loaded and its lock held.
struct KeyStatusParts {
  Scheduler& scheduler;
  WorkerPool& workers;
  RegistryStore& store;
  LogSink& log;
  Metrics& metrics;
};

// View(), Diagnose() and Discover() may be called from any thread; everything else belongs to the
// loop's thread. Must not be destroyed while the loop runs, because answers of workers would still
// refer to it.
class KeyStatus final : public StatusSource {
 public:
  // Publishes a loaded registry to the workers; its keys can be decrypted with from then on. Fails
  // as MakeKeyTable() does.
  static Result<std::unique_ptr<KeyStatus>> Create(KeyStatusParts parts,
                                                   contract::ConfigIdentity identity,
                                                   StatusOptions options);

  KeyStatus(const KeyStatus&) = delete;
  KeyStatus& operator=(const KeyStatus&) = delete;
  ~KeyStatus() override = default;

  // Starts probing: with the first usable worker, or after a second without one.
  void Start();

  // Must be called whenever a worker becomes ready or receives a usable token: probes that could
  // not run so far run immediately.
  void OnWorkerUsable();

  // Sets a function that is called on the loop's thread after every new view, for example to notify
  // the service manager. Must be set before Start().
  void SetOnChange(std::function<void()> on_change) { on_change_ = std::move(on_change); }

  [[nodiscard]] std::shared_ptr<const StatusView> View() const override { return cache_.View(); }

  // Returns what /ready reports; never waits for a worker.
  [[nodiscard]] Diagnostics Diagnose() const;

  void Discover(std::string_view key_id,
                BootTime arrived,
                BootTime deadline,
                std::function<void(DiscoveryOutcome)> done) override;

 private:
  KeyStatus(KeyStatusParts parts, contract::ConfigIdentity identity, StatusOptions options);

  // A scheduled round, a round because a worker became usable, or the extra deep probe in between.
  enum class Round : std::uint8_t { kScheduled, kWorker, kDeepOnly };

  void StartRound(Round round);
  void ProbeMetadata();
  void OnMetadata(BootTime began, const MetadataResult& result);
  void NoteMetadata(const MetadataResult& result);
  void ProbeDeep();
  void OnDeep(BootTime began, std::uint32_t version, const std::optional<ProbeFailure>& failure);
  void EndRound();
  void ScheduleDeep();
  void OnGraceOver();
  void ReportOverdue();
  void OnShown();
  void Refresh();

  [[nodiscard]] bool IsHealthy() const;
  [[nodiscard]] bool DeepIsDue() const;
  [[nodiscard]] Breaker::Counted CountedNow() const;
  [[nodiscard]] std::vector<std::string> Reasons(bool stale) const;
  [[nodiscard]] Diagnostics MakeDiagnostics() const;
  [[nodiscard]] std::string_view RotationState() const;

  KeyStatusParts parts_;
  StatusOptions options_;
  StatusReporter reporter_;
  Contradictions contradictions_;
  StatusCache cache_;
  HealthTracker health_;
  RegistryPublisher publisher_;
  DeepProbe deep_;
  MetadataProbe metadata_;
  AsyncMutex probe_mutex_;
  Discovery discovery_;
  Breaker metadata_breaker_;
  Breaker deep_breaker_;
  RetryPlan plan_;
  std::function<void()> on_change_;

  Round round_ = Round::kScheduled;
  bool in_round_ = false;
  bool round_failed_ = false;
  bool round_wanted_ = false;  // a worker became usable during a round
  bool round_missed_ = false;  // a scheduled round came due during one
  Scheduler::TimerId round_timer_ = 0;
  Scheduler::TimerId deep_timer_ = 0;
  Scheduler::TimerId deep_bad_timer_ = 0;
  std::optional<BootTime> last_deep_;
  Deferral deferral_ = Deferral::kNone;
  std::string finding_;  // describes the last metadata that could be read
  bool degraded_ = false;
  bool any_round_ended_ = false;
  bool ever_healthy_ = false;
  bool grace_over_ = false;
  bool overdue_reported_ = false;
};

}  // namespace baokms::supervisor
