// Keeps what the probes found and judges it: is the Status good, and if not, why. No clock, no I/O,
// no knowledge of how probes are made (docs/contract.md#probes-and-health).

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "supervisor/status/probe_failure.h"
#include "supervisor/status/status_source.h"

namespace baokms::supervisor {

class HealthTracker final {
 public:
  // `max_staleness` bounds how long transport failures keep the last good result.
  explicit HealthTracker(BootTime max_staleness) : max_staleness_(max_staleness) {}

  // Metadata was read and accepted at these times.
  void MetadataGood(BootTime now, std::int64_t now_unix);
  void MetadataFailed(const ProbeFailure& failure);

  // The deep probe of this key passed.
  void DeepGood(std::string_view key_id);
  void DeepFailed(const ProbeFailure& failure, BootTime now);

  // A key that is to become active was probed and can be used.
  void CandidateGood(std::string_view key_id) { proven_candidate_ = key_id; }

  // This key is active from now on. A deep result for another key is void; a proven candidate
  // starts good, so that Status does not blink when it is promoted.
  void SetActive(std::string_view key_id);

  [[nodiscard]] StatusView::Health CurrentHealth(BootTime now) const;

  // All that is wrong, in the order of ProbeReason; empty when healthy.
  [[nodiscard]] std::vector<ProbeReason> Reasons(BootTime now) const;

  // Empty: the part's last probe did not fail by the outcome of a call.
  [[nodiscard]] std::string_view metadata_error_class() const;
  [[nodiscard]] std::string_view deep_error_class() const;

  [[nodiscard]] bool MetadataIsGood() const { return metadata_ == Part::kGood; }

  // The last deep probe was of the active key, and passed.
  [[nodiscard]] bool DeepNeedsProbe() const { return deep_ != Part::kGood || deep_failure_; }

  [[nodiscard]] bool DeepIsGood(BootTime now) const;

  // When transport failures of the deep probe turn Status bad; empty when they do not run.
  [[nodiscard]] std::optional<BootTime> DeepTurnsBadAt() const;

  [[nodiscard]] BootTime metadata_at() const { return metadata_at_; }

  [[nodiscard]] std::int64_t metadata_at_unix() const { return metadata_at_unix_; }

 private:
  enum class Part : std::uint8_t { kUnknown, kGood, kBad };

  BootTime max_staleness_;
  std::string active_key_id_;
  std::string proven_candidate_;

  Part metadata_ = Part::kUnknown;
  std::optional<ProbeReason> metadata_reason_;    // why it is bad
  std::optional<ProbeFailure> metadata_failure_;  // of the last probe
  BootTime metadata_at_{};
  std::int64_t metadata_at_unix_ = 0;

  Part deep_ = Part::kUnknown;
  std::optional<ProbeFailure> deep_failure_;  // of the last probe
  std::optional<BootTime> deep_failing_since_;
};

}  // namespace baokms::supervisor
