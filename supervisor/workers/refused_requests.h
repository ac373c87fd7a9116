// The requests that are refused because they crashed workers.

#pragma once

#include <chrono>
#include <cstddef>
#include <deque>

#include "common/base/clock.h"
#include "common/contract/encoding.h"

namespace baokms::supervisor {

// Requests that crashed several workers and are refused for a while. The list is bounded: the
// oldest entry makes room for a new one.
class RefusedRequests final {
 public:
  static constexpr BootTime kRefusedFor = std::chrono::minutes(10);

  // Maximum number of entries. Each costs an attacker three worker processes, whose restarts slow
  // it down.
  static constexpr std::size_t kMaxEntries = 256;

  void Add(const contract::Sha256Digest& fingerprint, BootTime now);

  // Returns whether the request is refused. Also removes entries older than kRefusedFor.
  [[nodiscard]] bool Contains(const contract::Sha256Digest& fingerprint, BootTime now);

  // True in normal operation; no fingerprint needs to be computed then.
  [[nodiscard]] bool empty() const { return entries_.empty(); }

 private:
  struct Entry {
    contract::Sha256Digest fingerprint;
    BootTime until;
  };

  std::deque<Entry> entries_;  // ordered by `until`
};

}  // namespace baokms::supervisor
