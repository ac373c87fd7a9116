#include "supervisor/registry/pin_latch.h"

#include <optional>
#include <string>

#include "common/base/result.h"
#include "supervisor/cli/commands/commands.h"
#include "supervisor/cli/commands/state_command.h"
#include "supervisor/config/validate.h"
#include "supervisor/registry/file_ops.h"

namespace baokms::supervisor {
namespace {

constexpr Flag kClearFlag{"--clear", "", "Allow the PIN to be tried again"};

std::string LatchState(const Result<std::optional<PinRecord>>& record) {
  if (!record) {
    return "unreadable";
  }
  if (!record->has_value()) {
    return "none";
  }
  return (*record)->kind == PinRecord::Kind::kRefused ? "refused" : "attempting";
}

int End(const CommandContext& context, const CommandReport& report, const Status& status) {
  return PrintReport(context, report,
                     status
                         ? std::string()
                         : std::string("cannot use the PIN latch: ").append(status.error().what()));
}

// The latch can be cleared while the provider runs, which then tries the PIN again within seconds.
int RunPinLatch(const CommandContext& context) {
  const LoadResult loaded = LoadConfig(context.load());
  const auto problems = Validate(loaded.document, loaded.problems);
  if (!problems.empty()) {
    return context.FailConfig(problems);
  }
  SystemFileOps ops;
  CommandReport report;
  const Result<PinLatch> latch = PinLatch::Open(ops, loaded.document.config.state.path);
  if (!latch) {
    report.Add("pinLatch", "unreadable");
    return End(context, report, latch.error());
  }
  const bool clear = context.IsOn(kClearFlag.name);
  const std::string before = LatchState(latch->Read());
  const Status done = clear ? latch->Clear() : Status();
  report.Add("pinLatch", clear ? LatchState(latch->Read()) : before);
  if (clear && done) {
    report.Add("cleared", before == "none" ? "false" : "true");
  }
  return End(context, report, done);
}

constexpr Flag kPinLatchFlags[] = {kClearFlag, kOutputFlag};

}  // namespace

constinit const Command kPinLatchCommand{
    .name = "pin-latch",
    .help = "Show or clear the latch that blocks a refused PIN",
    .flags = kPinLatchFlags,
    .run = RunPinLatch};

}  // namespace baokms::supervisor
