// Keeps the results of the probes and evaluates them: whether Status is good and, if not, why. It
// has no clock and no I/O, and does not know how probes are made
// (docs/contract.md#probes-and-health).

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
  // `max_staleness` limits how long transport failures keep the last good result.
  explicit HealthTracker(BootTime max_staleness) : max_staleness_(max_staleness) {}

  // Records that metadata was read and accepted at these times.
  void MetadataGood(BootTime now, std::int64_t now_unix);
  void MetadataFailed(const ProbeFailure& failure);

  // Records that the deep probe of this key passed.
  void DeepGood(std::string_view key_id);
  void DeepFailed(const ProbeFailure& failure, BootTime now);

  // Records that a key which is about to become active was probed and can be used.
  void CandidateGood(std::string_view key_id) { proven_candidate_ = key_id; }

  // Makes this key the active one. A deep result for another key becomes void; a proven candidate
  // starts good, so that Status stays healthy during its promotion.
  void SetActive(std::string_view key_id);

  [[nodiscard]] StatusView::Health CurrentHealth(BootTime now) const;

  // Returns everything that is wrong, in the order of ProbeReason; empty if healthy. Once the
  // metadata is stale, this includes the transport failure of the last metadata probe, which is the
  // cause and does not matter before.
  [[nodiscard]] std::vector<ProbeReason> Reasons(BootTime now, bool stale = false) const;

  // Empty unless the part's last probe failed with the outcome of a call.
  [[nodiscard]] std::string_view metadata_error_class() const;
  [[nodiscard]] std::string_view deep_error_class() const;

  [[nodiscard]] bool MetadataIsGood() const { return metadata_ == Part::kGood; }

  // Returns whether the active key still needs a passed deep probe.
  [[nodiscard]] bool DeepNeedsProbe() const { return deep_ != Part::kGood || deep_failure_; }

  [[nodiscard]] bool DeepIsGood(BootTime now) const;

  // Returns when transport failures of the deep probe make Status unhealthy; empty without any.
  [[nodiscard]] std::optional<BootTime> DeepTurnsBadAt() const;

  [[nodiscard]] BootTime metadata_at() const { return metadata_at_; }

  [[nodiscard]] std::int64_t metadata_at_unix() const { return metadata_at_unix_; }

 private:
  enum class Part : std::uint8_t { kUnknown, kGood, kBad };

  BootTime max_staleness_;
  std::string active_key_id_;
  std::string proven_candidate_;

  Part metadata_ = Part::kUnknown;
  std::optional<ProbeReason> metadata_reason_;    // why the metadata is bad
  std::optional<ProbeFailure> metadata_failure_;  // of the last probe
  BootTime metadata_at_{};
  std::int64_t metadata_at_unix_ = 0;

  Part deep_ = Part::kUnknown;
  std::optional<ProbeFailure> deep_failure_;  // of the last probe
  std::optional<BootTime> deep_failing_since_;
};

}  // namespace baokms::supervisor
