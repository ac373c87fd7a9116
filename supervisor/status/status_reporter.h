// Writes the log records of this folder in one place, so that their vocabulary can be reviewed at
// once (docs/observability.md#metrics, docs/observability.md#logs). They never contain
// an unhashed id, a path or a text from OpenBao.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/contract/registry.h"
#include "supervisor/observe/metrics.h"
#include "supervisor/status/probe_failure.h"
#include "supervisor/workers/worker_requests.h"

namespace baokms::supervisor {

enum class ProbeKind : std::uint8_t { kMetadata, kDiscovery, kDeep, kCandidate };

// Why a change of the registry was deferred although metadata calls for it.
enum class Deferral : std::uint8_t {
  kNone,
  kSecondWorker,    // no other worker could confirm it
  kDisagreement,    // another worker read something different
  kUnfinishedSave,  // the previous change must be saved first
  kRegistryFull,    // no room for another version; the active one stays in use
};

// Returns the code that the log and /ready show: "none", "second_worker_missing", ...
std::string_view ToString(Deferral deferral);

class StatusReporter final {
 public:
  // Both must outlive the object.
  StatusReporter(LogSink& log, Metrics& metrics) : log_(log), metrics_(metrics) {}

  StatusReporter(const StatusReporter&) = delete;
  StatusReporter& operator=(const StatusReporter&) = delete;

  // Writes status.probe; `failure` is empty for a success. The metric counts scheduled metadata
  // probes.
  void Probed(ProbeKind kind, BootTime duration, const std::optional<ProbeFailure>& failure);

  // Writes key.promoted, once per promotion, after it was saved and published.
  void Promoted(const contract::KeyRecord& previous, const contract::KeyRecord& active);

  // Writes clock.regressed.
  void ClockRegressed();

  // Writes status.bootstrap_overdue, an error: bootstrap.graceTimeout has passed and Status was
  // never good.
  void BootstrapOverdue(const std::vector<ProbeReason>& reasons);

  // Writes rotation.deferred, a warning, if the deferral differs from the previous one.
  void Deferred(Deferral deferral);

  // Writes status.contradiction, an error: a probe failed with one worker, and another one denies
  // it.
  void Contradicted(const ProbeFailure& failure, Slot worker, Slot other);

  // Writes key.finding with MetadataResult::finding if it differs from the previous one: an error
  // if it keeps the key from being used, otherwise a warning. An empty finding is logged once, when
  // the previous one is over.
  void Finding(std::string_view finding, LogLevel level);

 private:
  void Write(LogLevel level,
             std::string_view event,
             std::vector<std::pair<std::string, LogValue>> fields);

  LogSink& log_;
  Metrics& metrics_;
  Deferral last_deferral_ = Deferral::kNone;
  std::string last_finding_;
};

}  // namespace baokms::supervisor
