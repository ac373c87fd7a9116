// One round trip through Transit: one worker encrypts 32 random bytes and another one decrypts
// them. It reports whether a key version can be used; its caller decides what follows.

#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>

#include "common/base/clock.h"
#include "supervisor/status/probe_failure.h"
#include "supervisor/status/scheduler.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// Runs one probe at a time. Belongs to the loop's thread.
class DeepProbe final {
 public:
  // Empty if the version encrypts and decrypts.
  using Done = std::function<void(std::optional<ProbeFailure>)>;

  // `timeout` applies to each of the two calls. References must outlive the object.
  DeepProbe(WorkerPool& workers, Scheduler& scheduler, BootTime timeout)
      : workers_(workers), scheduler_(scheduler), timeout_(timeout) {}

  DeepProbe(const DeepProbe&) = delete;
  DeepProbe& operator=(const DeepProbe&) = delete;

  // Which worker may decrypt what one worker encrypted. A candidate must work on two workers; the
  // active key must be checked even while there is only one, or while the others wait for a login,
  // which says nothing about the key.
  enum class Decrypter : std::uint8_t { kAnotherWorker, kAnotherIfThereIsOne };

  void Run(std::uint32_t version, Decrypter decrypter, Done done);

 private:
  void Decrypt(std::uint32_t version, const Reply<ipc::ProbeEncryptAnswer>& reply);
  [[nodiscard]] bool AnotherHasToken(Slot slot) const;
  void Compare(const ipc::ProbeDecryptAnswer& answer);
  void End(std::optional<ProbeFailure> failure);

  WorkerPool& workers_;
  Scheduler& scheduler_;
  BootTime timeout_;
  std::array<std::uint8_t, 32> plaintext_{};
  Decrypter decrypter_ = Decrypter::kAnotherWorker;
  Done done_;
};

}  // namespace baokms::supervisor
