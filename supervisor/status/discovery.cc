#include "supervisor/status/discovery.h"

#include <chrono>
#include <utility>

#include "common/contract/key_id.h"
#include "ipc/limits.h"

namespace baokms::supervisor {
namespace {

// How long the result of a metadata read answers further questions.
constexpr BootTime kFresh = std::chrono::seconds(5);

// Maximum time of one discovery, including the wait for the worker's token.
constexpr BootTime kReadLimit = std::chrono::seconds(5);

// Every Decrypt request in progress may wait; equal ones have already been coalesced.
constexpr std::size_t kMaxWaiting = ipc::kMaxCallsPerMethod;

}  // namespace

std::optional<DiscoveryOutcome> Discovery::TryAnswer(const Question& question) const {
  if (parts_.publisher.shown().decryptable.contains(question.key_id)) {
    return DiscoveryOutcome::kKnown;
  }
  const auto key_id = contract::KeyId::Parse(question.key_id);
  if (!key_id) {
    return DiscoveryOutcome::kUnknown;
  }
  const contract::KeyRecord* record =
      parts_.publisher.state() ? parts_.publisher.state()->Find(*key_id) : nullptr;
  if (record != nullptr) {
    // A removed key stays unknown. A key that decrypts is about to be published by the holder of
    // the mutex.
    return contract::Decrypts(record->state) ? std::nullopt
                                             : std::optional(DiscoveryOutcome::kUnknown);
  }
  const auto read = parts_.probe.last_complete_read();
  const bool looked =
      read && (*read >= question.arrived || parts_.scheduler.Now() - *read < kFresh);
  return looked ? std::optional(DiscoveryOutcome::kUnknown) : std::nullopt;
}

void Discovery::Ask(Question question) {
  const auto answer = TryAnswer(question);
  if (answer) {
    question.done(*answer);
    return;
  }
  if (waiting_.size() >= kMaxWaiting || question.deadline <= parts_.scheduler.Now()) {
    question.done(DiscoveryOutcome::kUnavailable);
    return;
  }
  const auto added = waiting_.insert(waiting_.end(), Waiting{std::move(question)});
  added->timer = parts_.scheduler.At(added->question.deadline, [this, added] { Expire(added); });
  Start();
}

void Discovery::Expire(std::list<Waiting>::iterator waiting) {
  const auto done = std::move(waiting->question.done);
  waiting_.erase(waiting);
  done(DiscoveryOutcome::kUnavailable);
}

void Discovery::Start() {
  if (!under_way_) {
    under_way_ = true;
    parts_.mutex.Enter([this] { OnLocked(); });
  }
}

// Answers every question that can be answered, and the others with `otherwise` unless it is empty.
void Discovery::AnswerAll(std::optional<DiscoveryOutcome> otherwise) {
  std::list<std::pair<std::function<void(DiscoveryOutcome)>, DiscoveryOutcome>> answers;
  for (auto waiting = waiting_.begin(); waiting != waiting_.end();) {
    const auto found = TryAnswer(waiting->question);
    const auto answer = found ? found : otherwise;
    if (!answer) {
      ++waiting;
      continue;
    }
    parts_.scheduler.Cancel(waiting->timer);
    answers.emplace_back(std::move(waiting->question.done), *answer);
    waiting = waiting_.erase(waiting);
  }
  for (const auto& [done, answer] : answers) {
    done(answer);
  }
}

void Discovery::OnLocked() {
  AnswerAll(std::nullopt);  // a probe that held the mutex may have read these keys
  const BootTime now = parts_.scheduler.Now();
  if (!waiting_.empty() && reads_.Take(now)) {
    parts_.probe.Run(ProbePurpose::kDiscovery, now + kReadLimit,
                     [this, now](const MetadataResult& result) { OnRead(now, result); });
    return;
  }
  under_way_ = false;
  parts_.mutex.Leave();
  AnswerAll(DiscoveryOutcome::kUnavailable);
}

void Discovery::OnRead(BootTime began, const MetadataResult& result) {
  parts_.reporter.Probed(ProbeKind::kDiscovery, parts_.scheduler.Now() - began, result.failure);
  under_way_ = false;
  parts_.mutex.Leave();
  // Also answers questions that joined after the read began: the read is younger than kFresh.
  AnswerAll(result.keys_complete ? std::nullopt : std::optional(DiscoveryOutcome::kUnavailable));
  if (!waiting_.empty()) {
    Start();
  }
}

}  // namespace baokms::supervisor
