#include "supervisor/kms/eviction.h"

#include <algorithm>
#include <tuple>

namespace baokms::supervisor {
namespace {

std::size_t CountOf(std::span<const Occupant> open, uid_t uid) {
  return static_cast<std::size_t>(std::ranges::count(open, uid, &Occupant::uid));
}

}  // namespace

NewcomerDecision CheckNewcomer(std::span<const Occupant> open, uid_t uid) {
  const std::size_t own = CountOf(open, uid);
  const bool uid_is_full = own >= kMaxConnectionsPerUid;
  if (!uid_is_full && open.size() < kMaxConnections) {
    return {.admit = true, .evict = std::nullopt};
  }
  using Rank = std::tuple<bool, std::size_t, bool>;  // the highest leaves
  std::optional<Rank> highest;
  NewcomerDecision decision;
  for (std::size_t i = 0; i < open.size(); ++i) {
    const Occupant& one = open[i];
    const bool is_answered = one.use == ConnectionUse::kAnswered;
    const std::size_t count = CountOf(open, one.uid);
    const bool may_leave = one.uid == uid ? !is_answered
                                          : !uid_is_full && count > own + 1 &&
                                                (!is_answered || count > kSafeConnectionsPerUid);
    const Rank rank{!is_answered, count, one.use == ConnectionUse::kHandshake};
    if (may_leave && (!highest || rank > *highest)) {
      highest = rank;
      decision = {.admit = true, .evict = i};
    }
  }
  return decision;
}

}  // namespace baokms::supervisor
