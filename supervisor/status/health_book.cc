#include "supervisor/status/health_book.h"

namespace baokms::supervisor {

void HealthBook::MetadataGood(BootTime now, std::int64_t now_unix) {
  metadata_ = Part::kGood;
  metadata_reason_.reset();
  metadata_failure_.reset();
  metadata_at_ = now;
  metadata_at_unix_ = now_unix;
}

void HealthBook::MetadataFailed(const ProbeFailure& failure) {
  metadata_failure_ = failure;
  if (failure.severity == Severity::kDefinite) {
    metadata_ = Part::kBad;
    metadata_reason_ = failure.reason;
  } else if (metadata_ == Part::kUnknown) {
    metadata_ = Part::kBad;
    metadata_reason_ = failure.reason;
  }
}

void HealthBook::DeepGood(std::string_view key_id) {
  if (key_id != active_key_id_) {
    return;
  }
  deep_ = Part::kGood;
  deep_failure_.reset();
  deep_failing_since_.reset();
}

void HealthBook::DeepFailed(const ProbeFailure& failure, BootTime now) {
  deep_failure_ = failure;
  if (failure.severity == Severity::kDefinite || deep_ == Part::kUnknown) {
    deep_ = Part::kBad;
  }
  if (!deep_failing_since_.has_value()) {
    deep_failing_since_ = now;
  }
}

void HealthBook::SetActive(std::string_view key_id) {
  if (key_id == active_key_id_) {
    return;
  }
  active_key_id_ = key_id;
  deep_ = !key_id.empty() && key_id == proven_candidate_ ? Part::kGood : Part::kUnknown;
  deep_failure_.reset();
  deep_failing_since_.reset();
}

std::optional<BootTime> HealthBook::DeepTurnsBadAt() const {
  if (deep_ != Part::kGood || !deep_failing_since_.has_value()) {
    return std::nullopt;
  }
  return *deep_failing_since_ + max_staleness_;
}

bool HealthBook::DeepIsGood(BootTime now) const {
  const auto turns_bad = DeepTurnsBadAt();
  return deep_ == Part::kGood && (!turns_bad.has_value() || now < *turns_bad);
}

StatusView::Health HealthBook::Judge(BootTime now) const {
  if (metadata_ == Part::kUnknown) {
    return StatusView::Health::kUnavailable;
  }
  const bool good = metadata_ == Part::kGood && !active_key_id_.empty() && DeepIsGood(now);
  return good ? StatusView::Health::kOk : StatusView::Health::kUnhealthy;
}

std::vector<ProbeReason> HealthBook::Reasons(BootTime now) const {
  std::vector<ProbeReason> reasons;
  if (active_key_id_.empty() && metadata_reason_ != ProbeReason::kStateUnavailable) {
    reasons.push_back(ProbeReason::kStateUnavailable);
  }
  if (metadata_ == Part::kUnknown) {
    reasons.push_back(ProbeReason::kMetadataUnverified);
  }
  if (metadata_reason_.has_value()) {
    reasons.push_back(*metadata_reason_);
  }
  if (active_key_id_.empty() || DeepIsGood(now)) {
    return reasons;
  }
  reasons.push_back(deep_failure_.has_value() ? deep_failure_->reason
                                              : ProbeReason::kDeepProbePending);
  return reasons;
}

std::string_view HealthBook::metadata_error_class() const {
  return metadata_failure_.has_value() ? ErrorClassOf(metadata_failure_->outcome) : "";
}

std::string_view HealthBook::deep_error_class() const {
  return deep_failure_.has_value() ? ErrorClassOf(deep_failure_->outcome) : "";
}

}  // namespace baokms::supervisor
