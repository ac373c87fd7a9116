#include "supervisor/serve/pin_attempt_guard.h"

#include <utility>

#include "common/base/error.h"

namespace baokms::supervisor {

using ipc::PinAttemptAnswer;
using ipc::PinAttemptEnd;

Result<std::unique_ptr<PinAttemptGuard>> PinAttemptGuard::Open(const std::string& state_path) {
  std::unique_ptr<PinAttemptGuard> guard(new PinAttemptGuard());
  guard->latch_ = BAOKMS_TRY(PinLatch::Open(guard->ops_, state_path));
  guard->salt_ = BAOKMS_TRY(guard->latch_->Salt());
  return guard;
}

PinAttemptAnswer::Verdict PinAttemptGuard::Begin(std::uint16_t tag) {
  switch (latch_->Begin(salt_, tag)) {
    case PinPermission::kAllowed:
      open_ = tag;
      return PinAttemptAnswer::VERDICT_ALLOWED;
    case PinPermission::kRefusedBefore:
      return PinAttemptAnswer::VERDICT_REFUSED_BEFORE;
    case PinPermission::kUnfinishedBefore:
      return PinAttemptAnswer::VERDICT_UNFINISHED_BEFORE;
    case PinPermission::kNoLatch:
      break;
  }
  return PinAttemptAnswer::VERDICT_NO_LATCH;
}

Status PinAttemptGuard::End(PinAttemptEnd::Result result) {
  const std::optional<std::uint16_t> tag = std::exchange(open_, std::nullopt);
  if (!tag) {
    return Error(ErrorCode::kProtocolViolation, "end of a PIN attempt that was not allowed");
  }
  return result == PinAttemptEnd::RESULT_REFUSED ? latch_->Refuse(salt_, *tag) : latch_->Clear();
}

}  // namespace baokms::supervisor
