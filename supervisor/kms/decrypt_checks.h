// Decides which opinions of one worker need a second one (isolation.verifyDecrypt).

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "supervisor/config/choices.h"
#include "supervisor/kms/opinion.h"
#include "supervisor/workers/worker_requests.h"

namespace baokms::supervisor {

// Belongs to the loop's thread.
class DecryptChecks final {
 public:
  // With VerifyDecrypt::kSample: how many of the first plaintexts of each worker process are
  // checked, and one in how many of the others (a power of two up to 256).
  static constexpr std::uint32_t kFirstAnswers = 4;
  static constexpr std::uint32_t kOneIn = 64;

  // `workers`: the number of slots. With one, nothing can be checked.
  DecryptChecks(VerifyDecrypt mode, std::size_t workers) : mode_(mode), seen_(workers) {}

  // Whether a client must wait until a second worker has said the same.
  enum class Check : std::uint8_t {
    kNone,
    kSampled,   // for a while; without a second opinion the first one is given
    kRequired,  // without a second opinion the call is refused as temporary
  };

  // Returns what applies to `given`, a first opinion. Every call with a plaintext draws once.
  [[nodiscard]] Check CheckFor(const Opinion& given);

 private:
  struct Seen {
    std::uint64_t process = 0;
    std::uint32_t answers = 0;  // at most kFirstAnswers
  };

  // Returns whether there can be a worker that gives a second opinion.
  [[nodiscard]] bool HasSecondWorker() const { return seen_.size() > 1; }

  [[nodiscard]] bool Draw(const WorkerProcess& worker);
  [[nodiscard]] bool DrawOneIn();

  VerifyDecrypt mode_;
  std::vector<Seen> seen_;  // by slot
  std::array<std::uint8_t, 256> dice_{};
  std::size_t dice_left_ = 0;
};

}  // namespace baokms::supervisor
