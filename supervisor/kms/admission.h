// Limits how many requests of each method may be in progress. It never waits: a request is admitted
// or refused immediately.

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "supervisor/observe/metrics.h"

namespace baokms::supervisor {

// server.maxConcurrentStatus, -Encrypt and -Decrypt: 1 to 1024 each.
struct ConcurrencyLimits {
  std::uint32_t status = 16;
  std::uint32_t encrypt = 32;
  std::uint32_t decrypt = 64;
};

// Callable from any thread. The pools are independent, so no method can starve another one.
class Admission final {
 private:
  struct Pool {
    std::atomic<std::uint32_t> limit{0};
    std::atomic<std::uint32_t> taken{0};
  };

 public:
  // Counts one request until it is destroyed. It may outlive the Admission object.
  class AdmissionPermit final {
   public:
    AdmissionPermit(AdmissionPermit&& other) noexcept = default;

    AdmissionPermit& operator=(AdmissionPermit&& other) noexcept {
      std::swap(pool_, other.pool_);
      return *this;
    }

    AdmissionPermit(const AdmissionPermit&) = delete;
    AdmissionPermit& operator=(const AdmissionPermit&) = delete;

    ~AdmissionPermit() {
      if (pool_ != nullptr) {
        pool_->taken.fetch_sub(1);
      }
    }

   private:
    friend class Admission;

    explicit AdmissionPermit(std::shared_ptr<Pool> pool) : pool_(std::move(pool)) {}

    std::shared_ptr<Pool> pool_;
  };

  explicit Admission(const ConcurrencyLimits& limits) { SetLimits(limits); }

  // Admits one request. Returns nothing if the method's maximum is already in progress.
  [[nodiscard]] std::optional<AdmissionPermit> TryEnter(KmsMethod method) {
    const std::shared_ptr<Pool>& pool = PoolOf(method);
    if (pool->taken.fetch_add(1) >= pool->limit.load()) {
      pool->taken.fetch_sub(1);
      return std::nullopt;
    }
    return AdmissionPermit(pool);
  }

  // Changes the limits. Requests that are in progress are not affected.
  void SetLimits(const ConcurrencyLimits& limits) {
    PoolOf(KmsMethod::kStatus)->limit = limits.status;
    PoolOf(KmsMethod::kEncrypt)->limit = limits.encrypt;
    PoolOf(KmsMethod::kDecrypt)->limit = limits.decrypt;
  }

 private:
  std::shared_ptr<Pool>& PoolOf(KmsMethod method) {
    return pools_[static_cast<std::size_t>(method)];
  }

  std::array<std::shared_ptr<Pool>, 3> pools_ = {std::make_shared<Pool>(), std::make_shared<Pool>(),
                                                 std::make_shared<Pool>()};
};

}  // namespace baokms::supervisor
