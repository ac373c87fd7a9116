// How many requests of each method may be in progress. It never waits: a request gets a place at
// once or is refused.

#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
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
 public:
  // A place that is given back when it dies. The admission must outlive it.
  class Place final {
   public:
    explicit Place(std::atomic<std::uint32_t>& taken) : taken_(&taken) {}

    Place(Place&& other) noexcept : taken_(std::exchange(other.taken_, nullptr)) {}

    Place& operator=(Place&& other) noexcept {
      std::swap(taken_, other.taken_);
      return *this;
    }

    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    ~Place() {
      if (taken_ != nullptr) {
        taken_->fetch_sub(1);
      }
    }

   private:
    std::atomic<std::uint32_t>* taken_;
  };

  explicit Admission(const ConcurrencyLimits& limits) { SetLimits(limits); }

  // Nothing when the method's maximum is in progress already.
  [[nodiscard]] std::optional<Place> TryEnter(KmsMethod method) {
    Pool& pool = pools_[static_cast<std::size_t>(method)];
    if (pool.taken.fetch_add(1) >= pool.limit.load()) {
      pool.taken.fetch_sub(1);
      return std::nullopt;
    }
    return Place(pool.taken);
  }

  // Requests that are in progress already stay.
  void SetLimits(const ConcurrencyLimits& limits) {
    pools_[static_cast<std::size_t>(KmsMethod::kStatus)].limit = limits.status;
    pools_[static_cast<std::size_t>(KmsMethod::kEncrypt)].limit = limits.encrypt;
    pools_[static_cast<std::size_t>(KmsMethod::kDecrypt)].limit = limits.decrypt;
  }

 private:
  struct Pool {
    std::atomic<std::uint32_t> limit{0};
    std::atomic<std::uint32_t> taken{0};
  };

  std::array<Pool, 3> pools_;
};

}  // namespace baokms::supervisor
