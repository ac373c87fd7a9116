// Applies the PIN latch to the auth agent's requests: one attempt at a time, each on disk before it
// is allowed.

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
  // Opens the latch beside the state file at the absolute `state_path`.
  static Result<std::unique_ptr<PinAttemptGuard>> Open(const std::string& state_path);

  PinAttemptGuard(const PinAttemptGuard&) = delete;
  PinAttemptGuard& operator=(const PinAttemptGuard&) = delete;
  ~PinAttemptGuard() = default;

  // Returns the salt for the agent's sealed set-up.
  [[nodiscard]] std::string salt() const { return {salt_.begin(), salt_.end()}; }

  [[nodiscard]] ipc::PinAttemptAnswer::Verdict Begin(std::uint16_t tag);

  // Records how the attempt ended. kProtocolViolation: no attempt is open. Any other error: the
  // latch was not written, and the attempt counts as one without a known result.
  Status End(ipc::PinAttemptEnd::Result result);

  // Must be called when the agent has exited: an attempt that it began stays recorded as begun.
  void Forget() { open_.reset(); }

 private:
  PinAttemptGuard() = default;

  SystemFileOps ops_;
  std::optional<PinLatch> latch_;
  PinSalt salt_{};
  std::optional<std::uint16_t> open_;  // the attempt that was allowed and has not ended
};

}  // namespace baokms::supervisor
