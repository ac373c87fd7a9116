#include "supervisor/kms/decrypt_checks.h"

#include <sys/random.h>

namespace baokms::supervisor {

DecryptChecks::Check DecryptChecks::CheckFor(const Opinion& given) {
  if (!HasSecondWorker() || !given.Counts()) {
    return Check::kNone;
  }
  if (!given.IsPlaintext() || mode_ == VerifyDecrypt::kAlways) {
    return Check::kRequired;
  }
  return mode_ == VerifyDecrypt::kSample && Draw(given.worker()) ? Check::kSampled : Check::kNone;
}

bool DecryptChecks::Draw(const WorkerProcess& worker) {
  Seen& seen = seen_[worker.slot];
  if (seen.process != worker.number) {
    seen = {.process = worker.number, .answers = 0};
  }
  if (seen.answers < kFirstAnswers) {
    ++seen.answers;
    return true;
  }
  return DrawOneIn();
}

// Random, so that no worker can tell which of its answers will be checked.
bool DecryptChecks::DrawOneIn() {
  if (dice_left_ == 0) {
    if (::getrandom(dice_.data(), dice_.size(), 0) != static_cast<ssize_t>(dice_.size())) {
      return true;
    }
    dice_left_ = dice_.size();
  }
  return dice_[--dice_left_] % kOneIn == 0;
}

}  // namespace baokms::supervisor
