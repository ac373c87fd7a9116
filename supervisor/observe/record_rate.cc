#include "supervisor/observe/record_rate.h"

#include <chrono>
#include <utility>

namespace baokms::supervisor {

RecordRate::Decision RecordRate::Count(std::string_view group, Form form, BootTime now) {
  auto found = buckets_.find(group);
  if (found == buckets_.end()) {
    const Bucket full{.rate = TokenBucket(limit_.burst, limit_.per_second)};
    found = buckets_.emplace(std::string(group), full).first;
  }
  Bucket& bucket = found->second;
  Decision decision{.pass = form == Form::kGood && bucket.rate.Take(now)};
  bucket.dropped += decision.pass ? 0 : 1;
  if (bucket.dropped > bucket.told && now - bucket.told_at >= std::chrono::seconds(1)) {
    decision.tell_dropped = bucket.dropped - std::exchange(bucket.told, bucket.dropped);
    bucket.told_at = now;
  }
  return decision;
}

std::map<std::string, std::uint64_t> RecordRate::Dropped() const {
  std::map<std::string, std::uint64_t> dropped;
  for (const auto& [group, bucket] : buckets_) {
    dropped[group] = bucket.dropped;
  }
  return dropped;
}

}  // namespace baokms::supervisor
