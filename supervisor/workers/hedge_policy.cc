#include "supervisor/workers/hedge_policy.h"

#include <algorithm>
#include <array>

namespace baokms::supervisor {
namespace {

// How many answers may pass before the delay is computed again: it takes about a microsecond.
constexpr std::size_t kLearnEvery = 16;

BootTime NinetyFifthPercentile(std::vector<BootTime> took) {
  const auto at = took.begin() + static_cast<std::ptrdiff_t>(took.size() * 95 / 100);
  std::ranges::nth_element(took, at);
  return *at;
}

}  // namespace

bool HedgePolicy::IsAboutWorker(ipc::Outcome outcome) {
  constexpr std::array kOutcomes = {
      ipc::OUTCOME_UNAUTHENTICATED,   ipc::OUTCOME_AUTH_FAILED,
      ipc::OUTCOME_LOGIN_BUDGET,      ipc::OUTCOME_LOGIN_TIMEOUT,
      ipc::OUTCOME_PERMISSION_DENIED, ipc::OUTCOME_TIMEOUT,
      ipc::OUTCOME_UNAVAILABLE,       ipc::OUTCOME_SEALED,
      ipc::OUTCOME_RATE_LIMITED,      ipc::OUTCOME_PRECONDITION_FAILED,
      ipc::OUTCOME_CONNECTION_FAILED, ipc::OUTCOME_TLS_FAILED,
      ipc::OUTCOME_DNS_FAILED,        ipc::OUTCOME_OVERLOADED,
      ipc::OUTCOME_UNKNOWN_STATUS,    ipc::OUTCOME_UNDECODABLE,
      ipc::OUTCOME_STALE_TABLE,       ipc::OUTCOME_KEY_ID_UNKNOWN,
      ipc::OUTCOME_CANCELED,          ipc::OUTCOME_INTERNAL};
  return std::ranges::find(kOutcomes, outcome) != kOutcomes.end();
}

void HedgePolicy::Completed(std::size_t kind, BootTime took) {
  budget_ = std::min(kMaxBudget, budget_ + kShare);
  Kind& learned = kinds_[kind];
  if (learned.took.size() < kSamples) {
    learned.took.push_back(took);
  } else {
    learned.took[learned.count % kSamples] = took;
  }
  if (learned.count++ % kLearnEvery == 0) {
    learned.delay = std::max(kLeastDelay, kFactor * NinetyFifthPercentile(learned.took));
  }
}

}  // namespace baokms::supervisor
