// One Decrypt on a worker: the lookup of its key_id, a discovery if nobody knows it yet, the
// request to a worker, and the answer. Who waits for the result is not known here
// (decrypt_coalescer.h).

#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "common/base/clock.h"
#include "proto/ipc.pb.h"
#include "proto/kms_v2.pb.h"
#include "supervisor/kms/error_policy.h"
#include "supervisor/kms/request_record.h"
#include "supervisor/status/status_source.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// What every Decrypt works with; outlives all of them.
struct DecryptContext {
  WorkerPool& workers;
  StatusSource& status;
  const Observers& observers;
};

struct DecryptResult {
  Cause cause = Cause::kNone;
  std::uint32_t version = 0;                // of the key; 0: not known
  std::span<const std::uint8_t> plaintext;  // wiped after the callback
};

// The request that asks a worker to decrypt.
[[nodiscard]] ipc::DecryptRequest WorkerDecryptRequest(
    const std::string& key_id,
    const std::string& ciphertext,
    const google::protobuf::RepeatedPtrField<v2::Annotation>& annotations,
    BootTime deadline);

class DecryptCall final : public std::enable_shared_from_this<DecryptCall> {
 public:
  using Done = std::function<void(const DecryptResult&)>;

  // `arrived`: when the first of the equal requests came. `done` runs once, on the thread of
  // Start() or the loop's, unless Cancel() comes first. `request` was checked (decrypt_checks.h).
  DecryptCall(const DecryptContext& context,
              std::shared_ptr<const v2::DecryptRequest> request,
              BootTime arrived,
              BootTime deadline,
              Done done);

  // Looks the key up and asks a worker. Once.
  void Start();

  // Nobody waits any longer. Callable from any thread.
  void Cancel();

  // The version of the key; 0 until it is known.
  [[nodiscard]] std::uint32_t version() const { return version_; }

 private:
  void Advance();
  void Discover();
  void AskWorker(const DecryptableKey& key);
  void OnAnswer(Reply<ipc::DecryptAnswer> reply);
  void End(Cause cause, std::span<const std::uint8_t> plaintext = {});

  // Runs one step; whatever it throws ends the call.
  template <typename Step>
  void Guarded(Step step);

  const DecryptContext& context_;
  std::shared_ptr<const v2::DecryptRequest> request_;
  BootTime arrived_;
  BootTime deadline_;
  Done done_;
  bool discovered_ = false;  // an unknown key_id is looked up once; one step at a time
  std::atomic<std::uint32_t> version_{0};
  std::atomic<RequestId> operation_{0};
  std::atomic<bool> ended_{false};
};

}  // namespace baokms::supervisor
