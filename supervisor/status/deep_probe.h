// One round trip through Transit: one worker encrypts 32 random bytes and another one decrypts
// them. It reports whether a key version can be used; its caller decides what follows. That the
// version cannot be used counts as definite only if two workers fail, each alone.

#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>

#include "common/base/clock.h"
#include "supervisor/status/contradictions.h"
#include "supervisor/status/probe_failure.h"
#include "supervisor/status/scheduler.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// Runs one probe at a time. Belongs to the loop's thread.
class DeepProbe final {
 public:
  // Empty if the version encrypts and decrypts.
  using Done = std::function<void(std::optional<ProbeFailure>)>;

  // `timeout` applies to each call: two, and up to six if it fails. References must outlive the
  // object.
  DeepProbe(WorkerPool& workers,
            Scheduler& scheduler,
            Contradictions& contradictions,
            BootTime timeout)
      : workers_(workers),
        scheduler_(scheduler),
        contradictions_(contradictions),
        timeout_(timeout) {}

  DeepProbe(const DeepProbe&) = delete;
  DeepProbe& operator=(const DeepProbe&) = delete;

  // Which worker may decrypt what one worker encrypted. A candidate must work on two workers; the
  // active key must be checked even while there is only one, or while the others wait for a login,
  // which says nothing about the key.
  enum class Decrypter : std::uint8_t { kAnotherWorker, kAnotherIfThereIsOne };

  void Run(std::uint32_t version, Decrypter decrypter, Done done);

 private:
  // Two workers together, the one that encrypted alone, and another one alone.
  enum class Trial : std::uint8_t { kPair, kEncrypter, kAnother };

  void Encrypt(const WorkerChoice& choice);
  void Decrypt(const Reply<ipc::ProbeEncryptAnswer>& reply);
  [[nodiscard]] WorkerChoice ChooseDecrypter(Slot encrypter) const;
  [[nodiscard]] bool AnotherHasToken(Slot slot) const;
  void Compare(const Reply<ipc::ProbeDecryptAnswer>& reply);
  void EndTrial(const std::optional<ProbeFailure>& failure, const WorkerProcess& worker);
  void EndPair(const ProbeFailure& failure, const WorkerProcess& worker);
  void TryAnother(const ProbeFailure& failure);
  void EndDenied(const WorkerProcess& worker);
  void End(std::optional<ProbeFailure> failure);

  WorkerPool& workers_;
  Scheduler& scheduler_;
  Contradictions& contradictions_;
  BootTime timeout_;
  std::array<std::uint8_t, 32> plaintext_{};
  Decrypter decrypter_ = Decrypter::kAnotherWorker;
  Done done_;

  // State of the running probe.
  std::uint32_t version_ = 0;
  Trial trial_ = Trial::kPair;
  ProbeFailure suspicion_;   // of the trials before
  WorkerProcess encrypter_;  // of the pair
  WorkerProcess suspect_;    // the one of the pair that failed last
};

}  // namespace baokms::supervisor
