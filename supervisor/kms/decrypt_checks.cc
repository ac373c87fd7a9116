#include "supervisor/kms/decrypt_checks.h"

#include <sys/random.h>

#include <utility>

#include "common/base/log.h"
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
              [this](Reply<ipc::DecryptAnswer>& reply) {
                const Opinion second(reply);
                if (given_.Contradicts(second)) {
                  ReplaceBoth(context(), given_, second, true);
                }
                return Cause::kNone;
              });
  }

 private:
  void End(Cause /*cause*/) override {}  // nobody waits for it

  Opinion given_;
  std::shared_ptr<void> running_;
};

}  // namespace

void ReplaceBoth(const CallContext& context,
                 const Opinion& first,
                 const Opinion& second,
                 bool answered) {
  context.observers.metrics.DecryptMismatch();
  context.observers.log.Write({.level = LogLevel::kError,
                               .event = "kms.decrypt_mismatch",
                               .fields = {{"worker", std::int64_t{first.worker().slot}},
                                          {"other_worker", std::int64_t{second.worker().slot}},
                                          {"answered", answered}}});
  for (const Opinion* opinion : {&first, &second}) {
    context.workers.Replace(opinion->worker());
  }
}

void NoteUnconfirmed(const CallContext& context, const Opinion& only) {
  context.observers.metrics.DecryptUnconfirmed();
  context.observers.log.Write({.level = LogLevel::kWarn,
                               .event = "kms.decrypt_unconfirmed",
                               .fields = {{"worker", std::int64_t{only.worker().slot}}}});
}

bool DecryptChecks::MustAgree(const Opinion& given) const {
  return HasSecondWorker() &&
         (given.IsPlaintext() ? mode_ == VerifyDecrypt::kAlways : IsLasting(given.cause()));
}

bool DecryptChecks::Draw(const Opinion& given) {
  if (mode_ != VerifyDecrypt::kSample || !HasSecondWorker() || !given.IsPlaintext() ||
      running_.use_count() > kMaxRunning) {
    return false;
  }
  Seen& seen = seen_[given.worker().slot];
  if (seen.process != given.worker().number) {
    seen = {.process = given.worker().number, .answers = 0};
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

void DecryptChecks::Start(const CallContext& context, ipc::DecryptRequest request, Opinion given) {
  std::make_shared<SampledCheck>(context, std::move(given), running_)->Start(std::move(request));
}

}  // namespace baokms::supervisor
