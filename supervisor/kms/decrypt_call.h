// One Decrypt: looks up its key_id, runs a discovery if the key_id is unknown, sends the request to
// a worker and, where its word alone does not count, to a second and a third one. The clients that
// wait for the result are the coalescer's concern (decrypt_coalescer.h).

#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "common/base/clock.h"
#include "proto/ipc.pb.h"
#include "proto/kms_v2.pb.h"
#include "supervisor/kms/decrypt_checks.h"
#include "supervisor/kms/error_policy.h"
#include "supervisor/kms/kms_call.h"
#include "supervisor/kms/opinion.h"
#include "supervisor/status/status_source.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// Checks in the order of the contract: empty ciphertext, size limits, UTF-8 of the annotations,
// format of the key_id. Returns Cause::kNone for a valid request. Annotations are parsed and
// compared by the worker.
[[nodiscard]] Cause CheckDecryptRequest(const v2::DecryptRequest& request);

// Returns whether both requests ask for the same decryption. The order of annotations does not
// matter, because they are a map that clients serialise in any order. The uid does not matter
// either.
[[nodiscard]] bool AskTheSame(const v2::DecryptRequest& a, const v2::DecryptRequest& b);

// Builds the request that asks a worker to decrypt.
[[nodiscard]] ipc::DecryptRequest WorkerDecryptRequest(
    const std::string& key_id,
    const std::string& ciphertext,
    const google::protobuf::RepeatedPtrField<v2::Annotation>& annotations,
    BootTime deadline);

struct DecryptResult {
  Cause cause = Cause::kNone;
  std::uint32_t version = 0;                  // of the key; 0 if unknown
  std::span<const std::uint8_t> plaintext{};  // wiped once OnEnd() returns
};

class DecryptCall : public WorkerCall {
 public:
  // Looks up the key and asks a worker. Must be called once after Reopen().
  void Start(BootTime deadline);

  // Cancels the call when no client waits for it any longer. Callable from any thread.
  void Cancel() { (void)Withdraw(); }

  [[nodiscard]] const v2::DecryptRequest& request() const { return request_; }

  // Returns the version of the key; 0 until it is known.
  [[nodiscard]] std::uint32_t version() const { return version_; }

 protected:
  // `request` must have passed CheckDecryptRequest(); it arrives now.
  DecryptCall(const CallContext& context, v2::DecryptRequest request);

  // Called once, on the thread that called Start() or on the loop's, unless Cancel() comes first.
  virtual void OnEnd(const DecryptResult& result) = 0;

 private:
  Cause Advance();
  Cause AskForPlaintext(const DecryptableKey& key);
  Cause OnAnswer(Reply<ipc::DecryptAnswer>& reply);
  void AskAgain(const WorkerChoice& choice,
                BootTime until,
                Cause (DecryptCall::*then)(Opinion opinion));
  Cause OnSecondOpinion(Opinion second);
  Cause OnThirdOpinion(Opinion third);
  [[nodiscard]] ipc::DecryptRequest RequestFor(BootTime deadline) const;
  void Finish(const Opinion& opinion);
  void Finish(const DecryptResult& result);

  void End(Cause cause) final { Finish({cause, version_}); }

  v2::DecryptRequest request_;
  BootTime arrived_;
  BootTime deadline_{};
  bool discovered_ = false;  // an unknown key_id is discovered only once; one step at a time
  std::atomic<std::uint32_t> version_{0};
  // Held while others are asked. The second one is there only if it contradicts the first.
  std::optional<Opinion> first_;
  DecryptChecks::Check check_{};
  BootTime second_asked_{};
  std::optional<Opinion> second_;
};

}  // namespace baokms::supervisor
