// Decides which plaintexts of a worker are checked on another worker (isolation.verifyDecrypt), and
// runs the checks of those that the client already has.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "proto/ipc.pb.h"
#include "supervisor/config/choices.h"
#include "supervisor/kms/kms_call.h"
#include "supervisor/kms/opinion.h"

namespace baokms::supervisor {

// Belongs to the loop's thread.
class DecryptChecks final {
 public:
  // With VerifyDecrypt::kSample: how many of the first plaintexts of each worker process are
  // checked, and one in how many of the others (a power of two up to 256).
  static constexpr std::uint32_t kFirstAnswers = 4;
  static constexpr std::uint32_t kOneIn = 64;

  // Maximum number of sampled checks in progress of the answers of one worker. Each holds a
  // plaintext, and a worker that is slow must not collect them. Counted for each worker that is
  // checked, so that one that keeps the checks of others from ending does not keep its own answers
  // from being checked.
  static constexpr long kMaxRunning = 16;

  // `workers`: the number of slots. With one, nothing can be checked. `metrics` must outlive this
  // object.
  DecryptChecks(VerifyDecrypt mode, std::size_t workers, Metrics& metrics);

  // Returns whether there can be a worker that gives a second opinion.
  [[nodiscard]] bool HasSecondWorker() const { return seen_.size() > 1; }

  // Returns whether a client must wait until a second worker has said the same as `given`.
  [[nodiscard]] bool MustAgree(const Opinion& given) const;

  // Returns whether `given`, which the client has, is to be checked. Every call draws once. One
  // that was drawn and finds no place is counted.
  [[nodiscard]] bool Draw(const Opinion& given);

  // Asks another worker for the same and compares. Ends without a result if there is no other one,
  // or if it does not answer before the deadline of `request`, which is counted.
  void Start(const CallContext& context, ipc::DecryptRequest request, Opinion given);

 private:
  struct Seen {
    std::uint64_t process = 0;
    std::uint32_t answers = 0;                                // at most kFirstAnswers
    std::shared_ptr<void> running = std::make_shared<int>();  // each check holds a reference
  };

  [[nodiscard]] bool DrawOneIn();

  VerifyDecrypt mode_;
  Metrics& metrics_;
  std::vector<Seen> seen_;  // by slot
  std::array<std::uint8_t, 256> dice_{};
  std::size_t dice_left_ = 0;
};

}  // namespace baokms::supervisor
