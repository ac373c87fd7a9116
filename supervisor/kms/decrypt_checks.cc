#include "supervisor/kms/decrypt_checks.h"

#include <sys/random.h>

#include <utility>

#include "supervisor/kms/second_opinions.h"
#include "supervisor/observe/metrics.h"

namespace baokms::supervisor {
namespace {

// The check of one plaintext that the client already has.
class SampledCheck final : public WorkerCall {
 public:
  SampledCheck(const CallContext& context, Opinion given, std::shared_ptr<void> running)
      : WorkerCall(context), given_(std::move(given)), running_(std::move(running)) {}

  void Start(ipc::DecryptRequest request) {
    AskWorker(std::move(request), {.not_this = given_.worker().slot},
              [this](Reply<ipc::DecryptAnswer>& reply) { return OnAnswer(Opinion(reply)); });
  }

 private:
  Cause OnAnswer(const Opinion& second) {
    context().second_opinions.OnAsked(second.worker(), second.Counts(), asked_, BootNow());
    if (!second.Counts()) {
      context().observers.metrics.DecryptUnchecked();
    } else if (given_.Contradicts(second)) {
      context().second_opinions.OnDecryptContradiction(given_, second, true);
    }
    return Cause::kNone;
  }

  void End(Cause /*cause*/) override {}  // nobody waits for it

  Opinion given_;
  std::shared_ptr<void> running_;
  BootTime asked_ = BootNow();
};

}  // namespace

DecryptChecks::DecryptChecks(VerifyDecrypt mode, std::size_t workers, Metrics& metrics)
    : mode_(mode), metrics_(metrics), seen_(workers) {
}

bool DecryptChecks::MustAgree(const Opinion& given) const {
  return HasSecondWorker() &&
         (given.IsPlaintext() ? mode_ == VerifyDecrypt::kAlways : IsLasting(given.cause()));
}

bool DecryptChecks::Draw(const Opinion& given) {
  if (mode_ != VerifyDecrypt::kSample || !HasSecondWorker() || !given.IsPlaintext()) {
    return false;
  }
  Seen& seen = seen_[given.worker().slot];
  if (seen.process != given.worker().number) {
    seen.process = given.worker().number;
    seen.answers = 0;
  }
  if (seen.answers < kFirstAnswers) {
    ++seen.answers;
  } else if (!DrawOneIn()) {
    return false;
  }
  if (seen.running.use_count() > kMaxRunning) {
    metrics_.DecryptUnchecked();
    return false;
  }
  return true;
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

void DecryptChecks::Start(const CallContext& context, ipc::DecryptRequest request, Opinion given) {
  std::shared_ptr<void> running = seen_[given.worker().slot].running;
  std::make_shared<SampledCheck>(context, std::move(given), std::move(running))
      ->Start(std::move(request));
}

}  // namespace baokms::supervisor
