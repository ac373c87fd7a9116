// What one worker says about a Decrypt, and how it compares with what another one says.

#pragma once

#include <cstdint>
#include <string>

#include "proto/ipc.pb.h"
#include "supervisor/kms/error_policy.h"
#include "supervisor/kms/secret_text.h"
#include "supervisor/workers/worker_requests.h"

namespace baokms::supervisor {

// Owns the plaintext and wipes it.
class Opinion final {
 public:
  // Takes the plaintext out of `reply`.
  explicit Opinion(Reply<ipc::DecryptAnswer>& reply);

  Opinion(Opinion&& other) noexcept
      : cause_(other.cause_), worker_(other.worker_), plaintext_(TakeSecret(other.plaintext_)) {}

  Opinion& operator=(Opinion&&) = delete;
  Opinion(const Opinion&) = delete;
  Opinion& operator=(const Opinion&) = delete;

  ~Opinion() { Wipe(plaintext_); }

  [[nodiscard]] Cause cause() const { return cause_; }

  [[nodiscard]] const std::string& plaintext() const { return plaintext_; }

  [[nodiscard]] const WorkerProcess& worker() const { return worker_; }

  [[nodiscard]] bool IsPlaintext() const { return cause_ == Cause::kNone; }

  // Returns whether it says something about the ciphertext. A temporary refusal does not.
  [[nodiscard]] bool Counts() const { return IsPlaintext() || IsLasting(cause_); }

  // Returns whether both are the same plaintext, or the same refusal.
  [[nodiscard]] bool IsSame(const Opinion& other) const {
    return cause_ == other.cause_ && IsSameSecret(plaintext_, other.plaintext_);
  }

  // Returns whether one of the two workers lied or is broken. A temporary refusal contradicts
  // nothing. Two different refusals may have honest reasons, such as a key that is removed between
  // them.
  [[nodiscard]] bool Contradicts(const Opinion& other) const;

 private:
  Cause cause_;
  WorkerProcess worker_;
  std::string plaintext_;
};

}  // namespace baokms::supervisor
