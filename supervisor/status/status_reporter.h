// The log records and metrics of this folder, in one place, so that the vocabulary can be read at
// once (docs/observability.md#metrics, docs/observability.md#logs). Never an id in the clear, a
// path or a text of OpenBao.

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

namespace baokms::supervisor {

enum class ProbeKind : std::uint8_t { kMetadata, kDiscovery, kDeep, kCandidate };

// Why a change of the registry was not made although metadata asked for it.
enum class Deferral : std::uint8_t {
  kNone,
  kSecondWorker,    // no other worker could confirm it
  kDisagreement,    // another worker saw something else
  kUnfinishedSave,  // the disk has to take the last change first
  kRegistryFull,    // there is no room for another version; the active one stays in use
};

// "none", "second_worker_missing", ... as the log and /ready say it.
std::string_view ToString(Deferral deferral);

class StatusReporter final {
 public:
  // Both must outlive the object.
  StatusReporter(LogSink& log, Metrics& metrics) : log_(log), metrics_(metrics) {}

  StatusReporter(const StatusReporter&) = delete;
  StatusReporter& operator=(const StatusReporter&) = delete;

  // status.probe; `failure` empty for a success. The metric counts scheduled metadata
  // probes.
  void Probed(ProbeKind kind, BootTime duration, const std::optional<ProbeFailure>& failure);

  // key.promoted, once per promotion, after it was saved and published.
  void Promoted(const contract::KeyRecord& previous, const contract::KeyRecord& active);

  // clock.regressed.
  void ClockRegressed();

  // status.bootstrap_overdue, an error: bootstrap.graceTimeout is over and Status was never good.
  void BootstrapOverdue(const std::vector<ProbeReason>& reasons);

  // rotation.deferred, a warning, when the deferral is another one than last time.
  void Deferred(Deferral deferral);

  // key.finding: MetadataResult::finding, when it is another one than last time. An error when it
  // keeps the key from being used, else a warning. Empty: nothing; logged once when it is over.
  void Finding(std::string_view finding, LogLevel level);

  // Gauges.
  void ActiveKey(std::string_view key_id, std::uint32_t version);
  void Rotation(std::string_view state);
  void RegistryRecords(std::size_t records);
  void Persistence(int degraded);
  void Breaker(int state);

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
