// The PIN latch as the auth agent's questions meet it: one attempt at a time, each on disk before
// it is allowed.

#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "proto/ipc.pb.h"
#include "supervisor/registry/file_ops.h"
#include "supervisor/registry/pin_latch.h"

namespace baokms::supervisor {

class PinAttemptGuard final {
 public:
  // The latch beside the state file at the absolute `state_path`.
  static Result<std::unique_ptr<PinAttemptGuard>> Open(const std::string& state_path);

  PinAttemptGuard(const PinAttemptGuard&) = delete;
  PinAttemptGuard& operator=(const PinAttemptGuard&) = delete;
  ~PinAttemptGuard() = default;

  // For the agent's sealed set-up.
  [[nodiscard]] std::string salt() const { return {salt_.begin(), salt_.end()}; }

  [[nodiscard]] ipc::PinAttemptAnswer::Verdict Begin(std::uint16_t tag);

  // kProtocolViolation: no attempt is open. Any other error: the latch was not written, and the
  // attempt counts as one that never ended.
  Status End(ipc::PinAttemptEnd::Result result);

  // The agent is gone: what it began stays begun.
  void Forget() { open_.reset(); }

 private:
  PinAttemptGuard() = default;

  SystemFileOps ops_;
  std::optional<PinLatch> latch_;
  PinSalt salt_{};
  std::optional<std::uint16_t> open_;  // the attempt that was allowed and has not ended
};

}  // namespace baokms::supervisor
