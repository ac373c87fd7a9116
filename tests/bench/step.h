// One step of a benchmark: which calls, to whom, how many at once, and what came of it.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace baokms::bench {

using Clock = std::chrono::steady_clock;

enum class Operation : std::uint8_t { kEncrypt, kDecrypt, kStatus };

enum class Target : std::uint8_t {
  kProvider,  // KMS v2 over the unix socket
  kBare,      // the Transit call alone, over HTTPS
};

// How long the calls of one step go on.
struct Timing {
  std::chrono::milliseconds warm_up{};   // calls that end in this time are not counted
  std::chrono::milliseconds measured{};  // follows the warm-up
};

struct Step {
  Operation operation = Operation::kDecrypt;
  Target target = Target::kProvider;
  std::size_t concurrency = 1;  // calls in flight; the next one begins when one ends
};

// What one step measured.
struct Summary {
  double p50_ms = 0;
  double p99_ms = 0;
  double rate = 0;                       // calls per second
  std::uint64_t calls = 0;               // all of the step, the warm-up included
  std::map<std::string, double> cpu_us;  // CPU time per call of each watched process
};

// Distinct requests of each kind. The provider joins equal Decrypt requests in flight, so no two
// equal ones may be: each of the `concurrency` slots has its own share of them.
inline constexpr std::size_t kDistinctRequests = 256;

// Every slot needs a request of its own.
inline constexpr std::size_t kMaxConcurrency = kDistinctRequests;

// The request that `slot` sends after request `previous`.
constexpr std::size_t NextRequest(std::size_t previous, std::size_t slot, std::size_t concurrency) {
  const std::size_t next = previous + concurrency;
  return next < kDistinctRequests ? next : slot;
}

// kube-apiserver seals a seed of this many bytes per Encrypt.
inline constexpr std::size_t kPlaintextBytes = 32;

// A call that takes longer is a failure of the run, not a number.
inline constexpr std::chrono::seconds kCallLimit{10};

}  // namespace baokms::bench
