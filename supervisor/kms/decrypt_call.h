// One Decrypt on a worker: looks up its key_id, runs a discovery if the key_id is unknown, sends
// the request to a worker and checks the answer. The clients that wait for the result are the
// coalescer's concern (decrypt_coalescer.h).

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

// Dependencies that all Decrypt calls share; they must outlive every call.
struct DecryptContext {
  WorkerPool& workers;
  StatusSource& status;
  const Observers& observers;
};

struct DecryptResult {
  Cause cause = Cause::kNone;
  std::uint32_t version = 0;                // of the key; 0 if unknown
  std::span<const std::uint8_t> plaintext;  // wiped once the callback returns
};

// Builds the request that asks a worker to decrypt.
[[nodiscard]] ipc::DecryptRequest WorkerDecryptRequest(
    const std::string& key_id,
    const std::string& ciphertext,
    const google::protobuf::RepeatedPtrField<v2::Annotation>& annotations,
    BootTime deadline);

class DecryptCall final : public std::enable_shared_from_this<DecryptCall> {
 public:
  using Done = std::function<void(const DecryptResult&)>;

  // `arrived` is when the first of the equal requests arrived. `done` runs once, on the thread that
  // called Start() or on the loop's, unless Cancel() comes first. `request` must have passed
  // CheckDecryptRequest().
  DecryptCall(const DecryptContext& context,
              std::shared_ptr<const v2::DecryptRequest> request,
              BootTime arrived,
              BootTime deadline,
              Done done);

  // Looks up the key and asks a worker. Must be called once.
  void Start();

  // Cancels the call when no client waits for it any longer. Callable from any thread.
  void Cancel();

  // Returns the version of the key; 0 until it is known.
  [[nodiscard]] std::uint32_t version() const { return version_; }

 private:
  void Advance();
  void Discover();
  void AskWorker(const DecryptableKey& key);
  void OnAnswer(Reply<ipc::DecryptAnswer> reply);
  void End(Cause cause, std::span<const std::uint8_t> plaintext = {});

  // Runs one step; an exception inside it fails the call.
  template <typename Step>
  void Guarded(Step step);

  const DecryptContext& context_;
  std::shared_ptr<const v2::DecryptRequest> request_;
  BootTime arrived_;
  BootTime deadline_;
  Done done_;
  bool discovered_ = false;  // an unknown key_id is discovered only once; one step at a time
  std::atomic<std::uint32_t> version_{0};
  std::atomic<RequestId> operation_{0};
  std::atomic<bool> ended_{false};
};

}  // namespace baokms::supervisor
