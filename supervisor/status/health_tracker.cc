#include "supervisor/status/health_tracker.h"

namespace baokms::supervisor {

void HealthTracker::MetadataGood(BootTime now, std::int64_t now_unix) {
  metadata_ = Part::kGood;
  metadata_reason_.reset();
  metadata_failure_.reset();
  metadata_at_ = now;
  metadata_at_unix_ = now_unix;
}

void HealthTracker::MetadataFailed(const ProbeFailure& failure) {
  metadata_failure_ = failure;
  if (failure.severity == Severity::kDefinite || metadata_ == Part::kUnknown) {
    metadata_ = Part::kBad;
    metadata_reason_ = failure.reason;
  }
}

void HealthTracker::DeepGood(std::string_view key_id) {
  if (key_id != active_key_id_) {
    return;
  }
  deep_ = Part::kGood;
  deep_failure_.reset();
  deep_failing_since_.reset();
}

void HealthTracker::DeepFailed(const ProbeFailure& failure, BootTime now) {
  deep_failure_ = failure;
  if (failure.severity == Severity::kDefinite || deep_ == Part::kUnknown) {
    deep_ = Part::kBad;
  }
  if (!deep_failing_since_) {
    deep_failing_since_ = now;
  }
}

void HealthTracker::SetActive(std::string_view key_id) {
  if (key_id == active_key_id_) {
    return;
  }
  active_key_id_ = key_id;
  deep_ = !key_id.empty() && key_id == proven_candidate_ ? Part::kGood : Part::kUnknown;
  deep_failure_.reset();
  deep_failing_since_.reset();
}

std::optional<BootTime> HealthTracker::DeepTurnsBadAt() const {
  if (deep_ != Part::kGood || !deep_failing_since_) {
    return std::nullopt;
  }
  return *deep_failing_since_ + max_staleness_;
}

bool HealthTracker::DeepIsGood(BootTime now) const {
  const auto turns_bad = DeepTurnsBadAt();
  return deep_ == Part::kGood && (!turns_bad || now < *turns_bad);
}

StatusView::Health HealthTracker::CurrentHealth(BootTime now) const {
  if (metadata_ == Part::kUnknown) {
    return StatusView::Health::kUnavailable;
  }
  const bool good = metadata_ == Part::kGood && !active_key_id_.empty() && DeepIsGood(now);
  return good ? StatusView::Health::kOk : StatusView::Health::kUnhealthy;
}

std::vector<ProbeReason> HealthTracker::Reasons(BootTime now, bool stale) const {
  std::vector<ProbeReason> reasons;
  const bool no_state = metadata_reason_ == ProbeReason::kStateUnavailable;
  if (no_state || active_key_id_.empty()) {
    reasons.push_back(ProbeReason::kStateUnavailable);
  }
  if (stale) {
    reasons.push_back(ProbeReason::kStatusStale);
  }
  if (metadata_ == Part::kUnknown) {
    reasons.push_back(ProbeReason::kMetadataUnverified);
  }
  if (metadata_reason_ && !no_state) {
    reasons.push_back(*metadata_reason_);
  } else if (!metadata_reason_ && stale && metadata_failure_) {
    reasons.push_back(metadata_failure_->reason);
  }
  if (active_key_id_.empty() || DeepIsGood(now)) {
    return reasons;
  }
  reasons.push_back(deep_failure_ ? deep_failure_->reason : ProbeReason::kDeepProbePending);
  return reasons;
}

std::string_view HealthTracker::metadata_error_class() const {
  return metadata_failure_ ? ErrorClassOf(metadata_failure_->outcome) : "";
}

std::string_view HealthTracker::deep_error_class() const {
  return deep_failure_ ? ErrorClassOf(deep_failure_->outcome) : "";
}

}  // namespace baokms::supervisor
