#include "supervisor/status/key_status.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/contract/encoding.h"

namespace baokms::supervisor {
namespace {

// Delay of the first probe while no worker is ready; workers normally start faster than this.
constexpr BootTime kFirstRoundWithoutWorker = std::chrono::seconds(1);

int GaugeOf(const Breaker& breaker) {
  return breaker.phase() == Breaker::Phase::kClosed ? 0 : 1;
}

}  // namespace

Result<std::unique_ptr<KeyStatus>> KeyStatus::Create(KeyStatusParts parts,
                                                     contract::ConfigIdentity identity,
                                                     StatusOptions options) {
  std::unique_ptr<KeyStatus> status(new KeyStatus(parts, std::move(identity), options));
  BAOKMS_TRY(status->publisher_.Start());
  status->Refresh();
  return status;
}

KeyStatus::KeyStatus(KeyStatusParts parts, contract::ConfigIdentity identity, StatusOptions options)
    : parts_(parts),
      options_(options),
      reporter_(parts.log, parts.metrics),
      contradictions_(parts.workers, reporter_),
      health_(options.max_staleness),
      publisher_(parts.workers, parts.store, reporter_, parts.metrics, [this] { OnShown(); }),
      deep_(parts.workers, parts.scheduler, contradictions_, options.operation_timeout),
      metadata_({.workers = parts.workers,
                 .scheduler = parts.scheduler,
                 .publisher = publisher_,
                 .health = health_,
                 .deep = deep_,
                 .contradictions = contradictions_,
                 .reporter = reporter_},
                std::move(identity),
                options),
      discovery_({.scheduler = parts.scheduler,
                  .mutex = probe_mutex_,
                  .probe = metadata_,
                  .publisher = publisher_,
                  .reporter = reporter_}),
      metadata_breaker_(parts.scheduler),
      deep_breaker_(parts.scheduler),
      plan_(parts.scheduler,
            {.until_first_success = options.retry_interval, .regular = options.probe_interval}) {
}

void KeyStatus::Start() {
  const BootTime now = parts_.scheduler.Now();
  if (options_.grace_timeout <= BootTime::zero()) {
    OnGraceOver();
  } else {
    parts_.scheduler.At(now + options_.grace_timeout, [this] { OnGraceOver(); });
  }
  const auto workers = parts_.workers.Workers();
  if (std::ranges::any_of(workers,
                          [](const WorkerState& w) { return w.ready && w.token_usable; })) {
    StartRound(Round::kScheduled);
    return;
  }
  round_timer_ = parts_.scheduler.At(now + kFirstRoundWithoutWorker,
                                     [this] { StartRound(Round::kScheduled); });
}

void KeyStatus::OnWorkerUsable() {
  if (IsHealthy() && deferral_ != Deferral::kSecondWorker) {
    return;
  }
  if (in_round_) {
    round_wanted_ = true;
    return;
  }
  StartRound(Round::kWorker);
}

void KeyStatus::StartRound(Round round) {
  if (in_round_) {
    round_missed_ = round_missed_ || round == Round::kScheduled;
    return;
  }
  in_round_ = true;
  round_ = round;
  round_failed_ = false;
  if (round == Round::kDeepOnly) {
    probe_mutex_.Enter([this] { ProbeDeep(); });
    return;
  }
  parts_.scheduler.Cancel(round_timer_);
  if (round == Round::kWorker) {
    // The worker has a token, so OpenBao answers.
    metadata_breaker_.AllowTrial();
    deep_breaker_.AllowTrial();
  }
  probe_mutex_.Enter([this] { ProbeMetadata(); });
}

void KeyStatus::ProbeMetadata() {
  if (!metadata_breaker_.Allows()) {
    round_failed_ = true;
    EndRound();
    return;
  }
  const BootTime began = parts_.scheduler.Now();
  // Each call has its own limit, so this one only has to exceed their sum.
  const BootTime limit = began + options_.operation_timeout * 8;
  metadata_.Run(ProbePurpose::kScheduled, limit,
                [this, began](const MetadataResult& result) { OnMetadata(began, result); });
}

Breaker::Counted KeyStatus::CountedNow() const {
  return round_ == Round::kScheduled && !plan_.NextIsQuick() ? Breaker::Counted::kYes
                                                             : Breaker::Counted::kNo;
}

void KeyStatus::NoteMetadata(const MetadataResult& result) {
  if (result.read) {
    metadata_breaker_.Succeeded();
  } else {
    metadata_breaker_.Failed(CountedNow());
  }
  deferral_ = result.deferral;
  reporter_.Deferred(result.deferral);
  if (result.read) {
    finding_ = result.finding;
    reporter_.Finding(finding_, result.failure ? LogLevel::kError : LogLevel::kWarn);
  }
  degraded_ = result.persistence_degraded;
  if (result.failure) {
    health_.MetadataFailed(*result.failure);
  } else {
    health_.MetadataGood(parts_.scheduler.Now(), parts_.scheduler.UnixNow());
  }
}

void KeyStatus::OnMetadata(BootTime began, const MetadataResult& result) {
  reporter_.Probed(ProbeKind::kMetadata, parts_.scheduler.Now() - began, result.failure);
  NoteMetadata(result);
  round_failed_ = result.failure.has_value();
  if (!round_failed_ && DeepIsDue()) {
    ProbeDeep();
    return;
  }
  EndRound();
}

bool KeyStatus::DeepIsDue() const {
  return health_.DeepNeedsProbe() || !last_deep_ ||
         parts_.scheduler.Now() - *last_deep_ >= options_.deep_probe_interval;
}

void KeyStatus::ProbeDeep() {
  // With bad metadata (for example blocked encryption) there is nothing to probe.
  if (!health_.MetadataIsGood()) {
    EndRound();
    return;
  }
  if (!deep_breaker_.Allows()) {
    round_failed_ = true;
    EndRound();
    return;
  }
  const BootTime began = parts_.scheduler.Now();
  const std::uint32_t version = publisher_.shown().active_version;
  deep_.Run(version, DeepProbe::Decrypter::kAnotherIfThereIsOne,
            [this, began, version](const std::optional<ProbeFailure>& failure) {
              OnDeep(began, version, failure);
            });
}

void KeyStatus::OnDeep(BootTime began,
                       std::uint32_t version,
                       const std::optional<ProbeFailure>& failure) {
  const BootTime now = parts_.scheduler.Now();
  reporter_.Probed(ProbeKind::kDeep, now - began, failure);
  if (failure) {
    deep_breaker_.Failed(CountedNow());
    health_.DeepFailed(*failure, now);
    round_failed_ = true;
  } else if (version == publisher_.shown().active_version) {
    deep_breaker_.Succeeded();
    health_.DeepGood(publisher_.shown().active_key_id);
    last_deep_ = now;
  }
  EndRound();
}

void KeyStatus::EndRound() {
  in_round_ = false;
  any_round_ended_ = true;
  Refresh();
  if (round_ != Round::kDeepOnly || round_failed_) {
    parts_.scheduler.Cancel(round_timer_);
    const BootTime delay = round_failed_ ? plan_.AfterFailure() : plan_.AfterSuccess();
    round_timer_ = parts_.scheduler.At(parts_.scheduler.Now() + delay,
                                       [this] { StartRound(Round::kScheduled); });
  }
  ScheduleDeep();
  ReportOverdue();
  probe_mutex_.Leave();
  if (std::exchange(round_missed_, false) && round_ == Round::kDeepOnly && !round_failed_) {
    StartRound(Round::kScheduled);
  } else if (std::exchange(round_wanted_, false)) {
    OnWorkerUsable();
  }
}

void KeyStatus::ScheduleDeep() {
  parts_.scheduler.Cancel(deep_timer_);
  deep_timer_ = 0;
  if (last_deep_) {
    const BootTime due = *last_deep_ + options_.deep_probe_interval;
    const BootTime earliest = parts_.scheduler.Now() + options_.deep_probe_interval / 2;
    deep_timer_ =
        parts_.scheduler.At(std::max(due, earliest), [this] { StartRound(Round::kDeepOnly); });
  }
}

void KeyStatus::OnGraceOver() {
  grace_over_ = true;
  metadata_.AllowOneWitness();
  ReportOverdue();
  if (any_round_ended_ && !publisher_.state()) {
    OnWorkerUsable();
  }
}

void KeyStatus::ReportOverdue() {
  if (grace_over_ && any_round_ended_ && !ever_healthy_ && !overdue_reported_) {
    overdue_reported_ = true;
    reporter_.BootstrapOverdue(health_.Reasons(parts_.scheduler.Now()));
  }
}

bool KeyStatus::IsHealthy() const {
  const BootTime now = parts_.scheduler.Now();
  return health_.CurrentHealth(now) == StatusView::Health::kOk &&
         !IsStale(*cache_.View(), now, parts_.scheduler.UnixNow()) &&
         health_.metadata_error_class().empty() && health_.deep_error_class().empty();
}

void KeyStatus::OnShown() {
  health_.SetActive(publisher_.shown().active_key_id);
  Refresh();
}

void KeyStatus::Refresh() {
  const BootTime now = parts_.scheduler.Now();
  StatusView view{publisher_.shown()};
  view.health = health_.CurrentHealth(now);
  view.metadata_at = health_.metadata_at();
  view.metadata_at_unix = health_.metadata_at_unix();
  view.max_staleness = options_.max_staleness;
  ever_healthy_ = ever_healthy_ || view.health == StatusView::Health::kOk;
  cache_.Publish(std::move(view), MakeDiagnostics());

  parts_.scheduler.Cancel(deep_bad_timer_);
  deep_bad_timer_ = 0;
  const auto turns_bad = health_.DeepTurnsBadAt();
  if (turns_bad && *turns_bad > now) {
    deep_bad_timer_ = parts_.scheduler.At(*turns_bad, [this] { Refresh(); });
  }
  parts_.metrics.BreakerState(std::max(GaugeOf(metadata_breaker_), GaugeOf(deep_breaker_)));
  parts_.metrics.RotationState(RotationState());
  parts_.metrics.PersistenceDegraded(degraded_ ? 1 : 0);
  if (on_change_) {
    on_change_();
  }
}

std::string_view KeyStatus::RotationState() const {
  if (!publisher_.state()) {
    return "unknown";
  }
  return PendingOf(*publisher_.state()) != nullptr ? "pending" : "active";
}

std::vector<std::string> KeyStatus::Reasons(bool stale) const {
  std::vector<std::string> reasons;
  for (const ProbeReason reason : health_.Reasons(parts_.scheduler.Now(), stale)) {
    reasons.emplace_back(ToString(reason));
  }
  if (!reasons.empty() && GaugeOf(metadata_breaker_) + GaugeOf(deep_breaker_) > 0) {
    reasons.emplace_back(ToString(ProbeReason::kCircuitBreakerOpen));
  }
  return reasons;
}

Diagnostics KeyStatus::MakeDiagnostics() const {
  Diagnostics diagnostics;
  diagnostics.reasons = Reasons(false);
  diagnostics.stale_reasons = Reasons(true);
  diagnostics.metadata_error_class = health_.metadata_error_class();
  diagnostics.deep_error_class = health_.deep_error_class();
  diagnostics.rotation_state = RotationState();
  diagnostics.persistence_degraded = degraded_;
  if (!publisher_.shown().active_key_id.empty()) {
    diagnostics.key_id_hash = contract::HashText(publisher_.shown().active_key_id);
    diagnostics.transit_key_version = publisher_.shown().active_version;
  }
  if (deferral_ != Deferral::kNone) {
    diagnostics.rotation_deferred = ToString(deferral_);
  }
  diagnostics.finding = finding_;
  return diagnostics;
}

Diagnostics KeyStatus::Diagnose() const {
  return cache_.Diagnose(parts_.scheduler.Now(), parts_.scheduler.UnixNow());
}

void KeyStatus::Discover(std::string_view key_id,
                         BootTime arrived,
                         BootTime deadline,
                         std::function<void(DiscoveryOutcome)> done) {
  Discovery::Question question{.key_id = std::string(key_id),
                               .arrived = arrived,
                               .deadline = deadline,
                               .done = std::move(done)};
  parts_.scheduler.Post(
      [this, question = std::move(question)]() mutable { discovery_.Ask(std::move(question)); });
}

}  // namespace baokms::supervisor
