// Limits how many requests of each method may be in progress. It never waits: a request is admitted
// or refused immediately.

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "supervisor/observe/metrics.h"

namespace baokms::supervisor {

// server.maxConcurrentStatus, -Encrypt and -Decrypt: 1 to 1024 each.
struct ConcurrencyLimits {
  std::uint32_t status = 16;
  std::uint32_t encrypt = 32;
  std::uint32_t decrypt = 64;
};

// Counts one admitted request until its last copy is destroyed. It may outlive the Admission
// object.
using AdmissionPermit = std::shared_ptr<void>;

// Callable from any thread. The pools are independent, so no method can starve another one.
class Admission final {
 public:
  explicit Admission(const ConcurrencyLimits& limits) { SetLimits(limits); }

  // Admits one request. Returns null if the method's maximum is already in progress.
  [[nodiscard]] AdmissionPermit TryEnter(KmsMethod method) {
    const std::shared_ptr<Pool>& pool = PoolOf(method);
    if (pool->taken.fetch_add(1) >= pool->limit.load()) {
      pool->taken.fetch_sub(1);
      return nullptr;
    }
    return {pool.get(), [pool](void* /*pool*/) {
              pool->taken.fetch_sub(1);
            }};
  }

  // Changes the limits. Requests that are in progress are not affected.
  void SetLimits(const ConcurrencyLimits& limits) {
    PoolOf(KmsMethod::kStatus)->limit = limits.status;
    PoolOf(KmsMethod::kEncrypt)->limit = limits.encrypt;
    PoolOf(KmsMethod::kDecrypt)->limit = limits.decrypt;
  }

 private:
  struct Pool {
    std::atomic<std::uint32_t> limit{0};
    std::atomic<std::uint32_t> taken{0};
  };

  std::shared_ptr<Pool>& PoolOf(KmsMethod method) {
    return pools_[static_cast<std::size_t>(method)];
  }

  std::array<std::shared_ptr<Pool>, 3> pools_ = {std::make_shared<Pool>(), std::make_shared<Pool>(),
                                                 std::make_shared<Pool>()};
};

}  // namespace baokms::supervisor
