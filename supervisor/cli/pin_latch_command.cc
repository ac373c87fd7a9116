#include "supervisor/cli/pin_latch_command.h"

#include <optional>
#include <string>

#include "common/base/result.h"
#include "supervisor/cli/report.h"
#include "supervisor/config/config.h"
#include "supervisor/registry/file_ops.h"
#include "supervisor/registry/pin_latch.h"

namespace baokms::supervisor {
namespace {

std::string WordFor(const Result<std::optional<PinRecord>>& record) {
  if (!record) {
    return "unreadable";
  }
  if (!record->has_value()) {
    return "none";
  }
  return (*record)->kind == PinRecord::Kind::kRefused ? "refused" : "attempting";
}

}  // namespace

Result<Facts> RunPinLatch(const Config& config, PinLatchAction action) {
  SystemFileOps ops;
  const PinLatch latch = BAOKMS_TRY(PinLatch::Open(ops, config.state.path));
  Facts facts{{"pinLatch", WordFor(latch.Read())}};
  if (action == PinLatchAction::kClear) {
    BAOKMS_TRY(latch.Clear());
    facts.emplace_back("cleared", "true");
  }
  return facts;
}

}  // namespace baokms::supervisor
