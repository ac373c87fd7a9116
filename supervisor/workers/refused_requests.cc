#include "supervisor/workers/refused_requests.h"

#include <algorithm>

namespace baokms::supervisor {

void RefusedRequests::Add(const contract::Sha256Digest& fingerprint, BootTime now) {
  if (entries_.size() == kMaxEntries) {
    entries_.pop_front();
  }
  entries_.push_back({fingerprint, now + kRefusedFor});
}

bool RefusedRequests::Contains(const contract::Sha256Digest& fingerprint, BootTime now) {
  while (!entries_.empty() && entries_.front().until <= now) {
    entries_.pop_front();
  }
  return std::ranges::find(entries_, fingerprint, &Entry::fingerprint) != entries_.end();
}

}  // namespace baokms::supervisor
