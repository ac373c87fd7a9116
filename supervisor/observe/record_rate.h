// The rate of log records whose number somebody else decides: a child that may be compromised, or a
// client of the KMS socket.

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "common/base/clock.h"
#include "common/base/token_bucket.h"
#include "ipc/limits.h"

namespace baokms::supervisor {

// Rate of each process's records: how many pass at once after a quiet time, and how many per second
// afterwards. A worker at level debug writes one or two for each request.
inline constexpr ipc::FlowLimit kChildRecords{.burst = 400, .per_second = 100};

// A child that logs too much loses records before its channel refuses them, which would kill it.
static_assert(kChildRecords.burst < ipc::kLogRecords.burst &&
              kChildRecords.per_second <= ipc::kLogRecords.per_second);

// Rate of the supervisor's records about KMS calls, for each event and error class. A client
// decides how many calls fail, thousands per second if it likes. What fails all the time is seen
// from a few records, and the metrics count every call; the classes that a client can cause by
// itself, about ten, together write less than a child may.
inline constexpr ipc::FlowLimit kCallRecords{.burst = 32, .per_second = 8};

// Counts records by group; each group has the rate for itself. Not thread-safe.
class RecordRate final {
 public:
  explicit RecordRate(ipc::FlowLimit limit) : limit_(limit) {}

  // What to do with one more record of `group`, of which there are a fixed number: processes, or
  // events with their error classes.
  struct Decision {
    bool pass = false;
    std::uint64_t tell_dropped = 0;  // not 0: report now that this many records were dropped
  };

  // A malformed record never passes.
  enum class Form : std::uint8_t { kGood, kMalformed };

  Decision Count(std::string_view group, Form form, BootTime now);

  // Returns how many records of each group did not pass.
  [[nodiscard]] std::map<std::string, std::uint64_t> Dropped() const;

 private:
  struct Bucket {
    TokenBucket rate;
    std::uint64_t dropped = 0;
    std::uint64_t told = 0;  // how many of them were reported
    BootTime told_at{};
  };

  ipc::FlowLimit limit_;
  std::map<std::string, Bucket, std::less<>> buckets_;
};

}  // namespace baokms::supervisor
