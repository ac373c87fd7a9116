// Incident mode: for a bounded time after the start, records of requests carry ids that link the
// logs of the API server, this program and OpenBao. It decides whether that time has passed and
// adds nothing to a record by itself; the ids never leave the log.

#pragma once

#include <chrono>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "supervisor/observe/record_text.h"

namespace baokms::supervisor {

class DebugCorrelation final {
 public:
  // `incident` is the operator's name for the incident. The mode ends `ttl` after `now`, which is
  // the same moment as `wall_clock`.
  DebugCorrelation(std::string incident, BootTime ttl, BootTime now, RecordTime wall_clock)
      : incident_(std::move(incident)),
        expires_at_(
            RecordTimeText(wall_clock + std::chrono::duration_cast<RecordTime::duration>(ttl))),
        ends_(now + ttl) {}

  [[nodiscard]] bool Active(BootTime now) const { return now < ends_; }

  // Adds debug_correlation_incident and debug_correlation_expires_at to a record with ids.
  void Mark(LogRecord& record) const {
    record.fields.emplace_back("debug_correlation_incident", incident_);
    record.fields.emplace_back("debug_correlation_expires_at", expires_at_);
  }

 private:
  std::string incident_;
  std::string expires_at_;
  BootTime ends_;
};

}  // namespace baokms::supervisor
