// What follows for the workers when a call has asked two of them: contradictions, and second
// opinions that do not come.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/clock.h"
#include "common/base/token_bucket.h"
#include "supervisor/kms/opinion.h"
#include "supervisor/kms/request_record.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// Belongs to the loop's thread.
class SecondOpinions final {
 public:
  // A worker that owes so many second opinions, while those that answered first did reach
  // OpenBao, is replaced: it would keep calls from ending that need one. Fewer may be a
  // coincidence.
  static constexpr std::uint32_t kMissingToReplace = 3;

  // Two of these count separately only if the second one was asked for so long after the first one
  // was missed. All that an outage interrupts count as one.
  static constexpr BootTime kBetweenMissing = std::chrono::seconds(1);

  // How many opinions that are given make up for one that is missing, and when all are forgotten. A
  // single one makes up for nothing: a worker could give it in time and hold back all others.
  static constexpr std::uint32_t kGivenForMissing = 16;
  static constexpr BootTime kForgotten = std::chrono::minutes(10);

  // `pool` and `observers` must outlive this object. `workers`: the number of slots.
  SecondOpinions(WorkerPool& pool, const Observers& observers, std::size_t workers)
      : pool_(pool), observers_(observers), missing_(workers) {}

  // Counts and logs that two workers contradict each other about a Decrypt, and replaces both,
  // because nobody knows yet which one is wrong.
  void OnDecryptContradiction(const Opinion& first, const Opinion& second);

  // Counts and logs that `only`, a lasting refusal by the only worker, is given although nobody
  // confirmed it.
  void OnUnconfirmed(const Opinion& only);

  // Counts and logs that the answer of `maker` to an Encrypt is wrong, or, with a `verifier`, that
  // one of the two is. Replaces them, unless kReplacementsPerSecond forbids it.
  // Returns whether it did.
  bool OnEncryptContradiction(const WorkerProcess& maker,
                              const std::optional<WorkerProcess>& verifier,
                              BootTime now);

  // Takes note of whether `worker`, asked at `asked`, gave a second opinion: a plaintext, or a
  // refusal that is about the ciphertext. One without a number was not asked at all.
  void OnAsked(const WorkerProcess& worker, bool gave_one, BootTime asked, BootTime now);

 private:
  struct Missing {
    std::uint64_t process = 0;
    std::uint32_t count = 0;
    std::uint32_t given = 0;  // since one was made up for
    BootTime last{};
  };

  WorkerPool& pool_;
  const Observers& observers_;
  std::vector<Missing> missing_;  // by slot
  TokenBucket replacements_{1, kReplacementsPerSecond};
};

}  // namespace baokms::supervisor
