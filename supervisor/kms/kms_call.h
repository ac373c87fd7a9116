// A KMS request in progress: as the transport sees it, it can be cancelled and ends with exactly
// one callback; inside, Encrypt and Decrypt are steps that ask a worker, and one end.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>

#include "common/base/clock.h"
#include "proto/kms_v2.pb.h"
#include "supervisor/kms/active_key.h"
#include "supervisor/kms/admission.h"
#include "supervisor/kms/error_policy.h"
#include "supervisor/kms/request_record.h"
#include "supervisor/status/status_source.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {

// The transport holds it for as long as its client may disconnect.
class KmsCall {
 public:
  virtual ~KmsCall() = default;

  // Reports that the client disconnected: the callback runs immediately with kCanceled, unless it
  // has already run.
  virtual void Cancel() = 0;

 protected:
  KmsCall() = default;
  KmsCall(const KmsCall&) = default;
  KmsCall& operator=(const KmsCall&) = default;
};

// Null if the request was answered inside the call that started it.
using KmsCallPtr = std::shared_ptr<KmsCall>;

// Called once, on the thread that started or cancelled the request, or on the loop's. The response
// is valid with kOk only, and only until the callback returns.
using EncryptDone = std::function<void(const PublicError&, const v2::EncryptResponse&)>;
using DecryptDone =
    std::function<void(const PublicError&, std::span<const std::uint8_t> plaintext)>;

// How long before its deadline a call is refused that no second worker could verify. Later the
// client would only see the deadline.
inline constexpr BootTime kTimeToRefuse = std::chrono::milliseconds(50);

class DecryptChecks;
class SecondOpinions;

// Dependencies that all calls share; they must outlive every call.
struct CallContext {
  WorkerPool& workers;
  StatusSource& status;
  ActiveKeys& active_keys;
  Admission& admission;
  DecryptChecks& decrypt_checks;
  SecondOpinions& second_opinions;
  const Observers& observers;
};

// Runs `step`, which returns a Cause. An exception inside it counts as kPanic.
template <typename Step>
Cause Guarded(const Step& step) {
  try {
    return step();
  } catch (...) {
    return Cause::kPanic;
  }
}

// What Encrypt and Decrypt have in common once a request was admitted.
class WorkerCall : public std::enable_shared_from_this<WorkerCall> {
 public:
  WorkerCall(const WorkerCall&) = delete;
  WorkerCall& operator=(const WorkerCall&) = delete;
  virtual ~WorkerCall() = default;

 protected:
  explicit WorkerCall(const CallContext& context) : context_(context) {}

  // Ends the call, unless it has ended.
  virtual void End(Cause cause) = 0;

  [[nodiscard]] const CallContext& context() const { return context_; }

  // Runs one step, which returns kNone if it has started another one or has ended the call.
  template <typename Step>
  void Run(const Step& step) {
    if (const Cause cause = Guarded(step); cause != Cause::kNone) {
      End(cause);
    }
  }

  // Sends a request to a worker and runs `step` with the reply. Does nothing if the call has ended.
  template <typename Request, typename Step>
  void AskWorker(Request request, const WorkerChoice& choice, Step step) {
    if (ended_) {
      return;
    }
    operation_ = context_.workers.Submit(
        std::move(request), choice,
        [this, self = shared_from_this(), step](Reply<AnswerTo<Request>> reply) {
          Run([&] { return step(reply); });
        });
    if (ended_) {
      context_.workers.Cancel(operation_);  // the call may have ended before there was an id
    }
  }

  // Lets an ended call run again. Must not be called while one of its steps may still run.
  void Reopen() { ended_ = false; }

  // Ends the call. Returns false if it had ended before.
  bool Close() { return !ended_.exchange(true); }

  // Like Close(), and also tells the worker that its answer is no longer needed.
  bool Withdraw() {
    const bool closed = Close();
    if (closed) {
      context_.workers.Cancel(operation_);
    }
    return closed;
  }

 private:
  const CallContext& context_;
  std::atomic<RequestId> operation_{0};
  std::atomic<bool> ended_{false};
};

}  // namespace baokms::supervisor
