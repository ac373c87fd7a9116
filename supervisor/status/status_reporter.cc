#include "supervisor/status/status_reporter.h"

#include <array>
#include <utility>

#include "common/contract/encoding.h"

namespace baokms::supervisor {
namespace {

// In the order of ProbeKind.
constexpr std::array<std::string_view, 4> kProbeKinds = {"metadata", "discovery", "deep",
                                                         "candidate"};

// In the order of Deferral.
constexpr std::array<std::string_view, 5> kDeferrals = {
    "none", "second_worker_missing", "workers_disagree", "save_unfinished", "registry_full"};

std::string HashOf(const contract::KeyRecord& record) {
  return contract::HashText(record.key_id.text());
}

}  // namespace

std::string_view ToString(Deferral deferral) {
  return kDeferrals.at(static_cast<std::size_t>(deferral));
}

void StatusReporter::Write(LogLevel level,
                           std::string_view event,
                           std::vector<std::pair<std::string, LogValue>> fields) {
  log_.Write({.level = level, .event = std::string(event), .fields = std::move(fields)});
}

void StatusReporter::Probed(ProbeKind kind,
                            BootTime duration,
                            const std::optional<ProbeFailure>& failure) {
  std::string_view error_class;
  if (failure) {
    error_class = ErrorClassOf(failure->outcome);
  }
  if (kind == ProbeKind::kMetadata) {
    const std::string_view cause =
        failure && error_class.empty() ? ToString(failure->reason) : error_class;
    metrics_.MetadataObservation(failure ? cause : "ok");
  }
  const LogLevel level = failure ? LogLevel::kWarn : LogLevel::kDebug;
  if (!log_.Enabled(level)) {
    return;
  }
  std::vector<std::pair<std::string, LogValue>> fields = {
      {"operation", "status.probe"},
      {"status", std::string(failure ? "error" : "ok")},
      {"probe_kind", std::string(kProbeKinds.at(static_cast<std::size_t>(kind)))},
      {"duration_ms", Milliseconds(duration)}};
  if (failure) {
    fields.emplace_back("reason", std::string(ToString(failure->reason)));
  }
  if (!error_class.empty()) {
    fields.emplace_back("error_class", std::string(error_class));
  }
  Write(level, "status.probe", std::move(fields));
}

void StatusReporter::Promoted(const contract::KeyRecord& previous,
                              const contract::KeyRecord& active) {
  Write(LogLevel::kInfo, "key.promoted",
        {{"key_id_hash", HashOf(active)},
         {"transit_key_version", active.version.number},
         {"previous_key_id_hash", HashOf(previous)},
         {"previous_transit_key_version", previous.version.number}});
}

void StatusReporter::ClockRegressed() {
  Write(LogLevel::kWarn, "clock.regressed", {{"reason", "timestamp_order_preserved"}});
}

void StatusReporter::BootstrapOverdue(const std::vector<ProbeReason>& reasons) {
  std::string text;
  for (const ProbeReason reason : reasons) {
    text.append(text.empty() ? "" : ",").append(ToString(reason));
  }
  Write(LogLevel::kError, "status.bootstrap_overdue",
        {{"operation", "status.probe"}, {"status", "error"}, {"reason", std::move(text)}});
}

void StatusReporter::Deferred(Deferral deferral) {
  if (std::exchange(last_deferral_, deferral) == deferral || deferral == Deferral::kNone) {
    return;
  }
  Write(LogLevel::kWarn, "rotation.deferred", {{"reason", std::string(ToString(deferral))}});
}

void StatusReporter::Contradicted(const ProbeFailure& failure, Slot worker, Slot other) {
  Write(LogLevel::kError, "status.contradiction",
        {{"worker", std::int64_t{worker}},
         {"other_worker", std::int64_t{other}},
         {"reason", std::string(ToString(failure.reason))}});
}

void StatusReporter::Finding(std::string_view finding, LogLevel level) {
  if (finding == last_finding_) {
    return;
  }
  last_finding_ = finding;
  if (finding.empty()) {
    Write(LogLevel::kInfo, "key.finding", {{"status", "ok"}});
  } else {
    Write(level, "key.finding",
          {{"status", std::string(level == LogLevel::kError ? "error" : "warning")},
           {"reason", std::string(finding)}});
  }
}

}  // namespace baokms::supervisor
