// Requests that killed workers twice and are not tried again for a while. Bounded: the oldest
// entry makes room.

#pragma once

#include <chrono>
#include <cstddef>
#include <deque>

#include "common/base/clock.h"
#include "common/contract/encoding.h"

namespace baokms::supervisor {

class RefusedRequests final {
 public:
  static constexpr BootTime kRefusedFor = std::chrono::minutes(10);

  // Each entry cost two worker processes, so an attacker is slowed down by their restarts.
  static constexpr std::size_t kMaxEntries = 256;

  void Add(const contract::Sha256Digest& fingerprint, BootTime now);

  // Also forgets what is older than kRefusedFor.
  [[nodiscard]] bool Contains(const contract::Sha256Digest& fingerprint, BootTime now);

  // True in normal life; then no fingerprint needs to be computed.
  [[nodiscard]] bool empty() const { return entries_.empty(); }

 private:
  struct Entry {
    contract::Sha256Digest fingerprint;
    BootTime until;
  };

  std::deque<Entry> entries_;  // in the order of `until`
};

}  // namespace baokms::supervisor
