// The supervisor's way to its workers: submit an operation, get its answer. Which worker does it,
// and what happens when that worker dies, is decided behind this interface; what an answer means is
// decided in front of it.

#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "common/base/clock.h"
#include "common/base/result.h"
#include "proto/ipc.pb.h"

namespace baokms::supervisor {

// A worker's slot: 0 .. isolation.workers - 1. A slot outlives the processes that fill it.
using Slot = std::uint32_t;

// Names one submitted operation; never reused. 0 names none.
using OperationId = std::uint64_t;

// Which worker may take an operation.
struct WorkerChoice {
  // This one; the operation fails (OUTCOME_UNAVAILABLE) when it is gone.
  std::optional<Slot> only{};
  // Any other one; with kSameWorker this one after all, over a fresh connection, when there is no
  // other one.
  std::optional<Slot> not_this{};
  enum class Fallback : std::uint8_t { kFail, kSameWorker } fallback = Fallback::kFail;
};

// An answer, or how it was impossible to get one: `answer.outcome()` is then OUTCOME_TIMEOUT (the
// deadline passed), OUTCOME_UNAVAILABLE (no worker that the choice allows), OUTCOME_OVERLOADED (a
// queue is full) or OUTCOME_INTERNAL (the request is to blame for the death of workers).
template <typename Answer>
struct Reply {
  Answer answer;
  Slot slot = 0;               // the worker that answered
  std::uint32_t queue_us = 0;  // until it was sent to a worker
  std::uint32_t ipc_us = 0;    // from then to the answer, less what the worker accounts for
  std::uint32_t replays = 0;   // times it moved to another worker
};

template <typename Answer>
using OnReply = std::function<void(Reply<Answer>)>;

// What one worker is good for right now.
struct WorkerState {
  Slot slot = 0;
  bool ready = false;            // has acknowledged the current key table and may be given requests
  bool active_verified = false;  // its table's active entry matches metadata it read itself
  bool token_usable = false;
  std::optional<BootTime> token_expires;  // empty: no token, or it does not expire
  ipc::Outcome last_login = ipc::OUTCOME_UNSPECIFIED;
};

// Every function may be called from any thread. Callbacks run on the supervisor's loop thread,
// exactly once, unless cancelled; never from inside the call. The `id` fields of requests are
// filled in here; `deadline_ns` is the caller's and is kept.
class WorkerPool {
 public:
  virtual ~WorkerPool() = default;

  virtual OperationId Encrypt(ipc::EncryptRequest request, OnReply<ipc::EncryptAnswer> done) = 0;
  virtual OperationId Decrypt(ipc::DecryptRequest request,
                              WorkerChoice choice,
                              OnReply<ipc::DecryptAnswer> done) = 0;
  virtual OperationId ReadMetadata(ipc::MetadataRequest request,
                                   WorkerChoice choice,
                                   OnReply<ipc::MetadataAnswer> done) = 0;
  virtual OperationId ProbeEncrypt(ipc::ProbeEncryptRequest request,
                                   WorkerChoice choice,
                                   OnReply<ipc::ProbeEncryptAnswer> done) = 0;
  virtual OperationId ProbeDecrypt(ipc::ProbeDecryptRequest request,
                                   WorkerChoice choice,
                                   OnReply<ipc::ProbeDecryptAnswer> done) = 0;

  // The callback will not start any more. Harmless for an operation that has ended.
  virtual void Cancel(OperationId operation) = 0;

  // Gives every worker this table, whose generation must be larger than the last one's. `done`
  // runs once all live workers have acknowledged it (workers that refuse it or do not answer in
  // time are restarted and get it before their first request). From the call on, new workers get
  // this table. Until the first one no worker is ready: with no registry yet, publish one without
  // entries, generation 1, so that metadata can be read.
  virtual void PublishKeyTable(ipc::KeyTable table, std::function<void()> done) = 0;

  [[nodiscard]] virtual std::vector<WorkerState> Workers() const = 0;

 protected:
  WorkerPool() = default;
  WorkerPool(const WorkerPool&) = default;
  WorkerPool& operator=(const WorkerPool&) = default;
};

}  // namespace baokms::supervisor
