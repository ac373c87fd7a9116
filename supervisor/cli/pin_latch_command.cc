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

PinLatchResult RunPinLatch(const Config& config, PinLatchAction action) {
  SystemFileOps ops;
  const Result<PinLatch> latch = PinLatch::Open(ops, config.state.path);
  if (!latch) {
    return {.facts = {{"pinLatch", "unreadable"}}, .failure = std::string(latch.error().what())};
  }
  PinLatchResult result{.facts = {{"pinLatch", WordFor(latch->Read())}}, .failure = {}};
  if (action == PinLatchAction::kShow) {
    return result;
  }
  if (const Status cleared = latch->Clear(); cleared) {
    result.facts.emplace_back("cleared", "true");
  } else {
    result.failure = std::string(cleared.error().what());
  }
  return result;
}

}  // namespace baokms::supervisor
