#include "supervisor/observe/debug_correlation.h"

#include <chrono>
#include <string>
#include <utility>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "supervisor/observe/record_text.h"

namespace baokms::supervisor {

DebugCorrelation::DebugCorrelation(std::string incident,
                                   BootTime ttl,
                                   BootTime now,
                                   RecordTime wall_clock)
    : incident_(std::move(incident)),
      expires_at_(
          RecordTimeText(wall_clock + std::chrono::duration_cast<RecordTime::duration>(ttl))),
      ends_(now + ttl) {
}

void DebugCorrelation::Mark(LogRecord& record) const {
  record.fields.emplace_back("debug_correlation_incident", incident_);
  record.fields.emplace_back("debug_correlation_expires_at", expires_at_);
}

}  // namespace baokms::supervisor
