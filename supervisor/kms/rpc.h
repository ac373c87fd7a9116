// One gRPC call of any method, from its registration with gRPC to its answer. Messages are parsed
// and serialised here rather than by gRPC, so that this process's own copies of plaintext are
// wiped. Includes gRPC, so only server.cc and rpc.cc may include it.

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include "common/base/clock.h"
#include "proto/kms_v2.grpc.pb.h"
#include "supervisor/kms/call_counts.h"
#include "supervisor/kms/error_policy.h"
#include "supervisor/kms/kms_call.h"
#include "supervisor/kms/service.h"
#include "supervisor/observe/metrics.h"

namespace baokms::supervisor {

// The KMS service with raw bytes instead of messages for all three methods.
using RawKmsService =
    v2::KeyManagementService::WithRawMethod_Status<v2::KeyManagementService::WithRawMethod_Decrypt<
        v2::KeyManagementService::WithRawMethod_Encrypt<v2::KeyManagementService::Service>>>;

class Rpc;

// Hands answers from other threads to the thread that serves gRPC's completion queue, so that only
// one thread ever enters gRPC: two threads inside it wait for each other and wake a third one,
// which costs more than the hand-over.
class AnswerQueue final {
 public:
  // `queue` returns `wake_up` as an event's tag when TakeAll() must be called. Both must outlive
  // this object.
  AnswerQueue(grpc::CompletionQueue& queue, void* wake_up) : queue_(queue), wake_up_(wake_up) {}

  // Declares the calling thread to be the one that serves the completion queue. Called once.
  void ServedByThisThread() { server_ = std::this_thread::get_id(); }

  // Returns whether the calling thread may enter gRPC directly.
  [[nodiscard]] bool IsServedByThisThread() const { return server_ == std::this_thread::get_id(); }

  // Queues a call whose answer is ready. May be called from one other thread. The call must live
  // until it was answered, and the completion queue must not be shut down before then.
  void Add(Rpc& call);

  // Removes and returns every call that was added since the previous call.
  [[nodiscard]] std::vector<Rpc*> TakeAll();

 private:
  grpc::CompletionQueue& queue_;
  void* wake_up_;
  std::thread::id server_;
  std::mutex mutex_;
  std::vector<Rpc*> calls_;             // guarded by mutex_
  std::unique_ptr<grpc::Alarm> alarm_;  // the latest one; only the adding thread uses it
};

// Created, started and destroyed on the completion queue's thread. The answer may come from any
// thread.
class Rpc final {
 public:
  enum class Event : std::uint8_t {
    kArrived,  // a client called
    kGone,     // gRPC is done with the call: answered, cancelled or disconnected
    kSent,     // the answer was written or cannot be written
    kAnswers,  // other threads have answers for any calls
  };

  // The tag of an event in the completion queue.
  struct Tag {
    Rpc* rpc = nullptr;
    Event event{};
  };

  Rpc(RawKmsService& raw,
      grpc::ServerCompletionQueue& queue,
      AnswerQueue& answers,
      KmsService& service,
      KmsMethod method);
  Rpc(const Rpc&) = delete;
  Rpc& operator=(const Rpc&) = delete;
  ~Rpc();

  [[nodiscard]] KmsMethod method() const { return method_; }

  // Returns gRPC's name of the connection that the call came over. Valid once the call arrived.
  [[nodiscard]] std::string Connection() const { return context_.peer(); }

  // Handles the client's call: answers it now or arranges for a later answer. `counts` are those of
  // its connection; null if that is unknown.
  void Handle(CallCountsPtr counts);

  // Hands the answer to gRPC. Must be called once, on the completion queue's thread, after
  // AnswerQueue::Add().
  void Finish();

  enum class State : std::uint8_t { kAlive, kOver };

  // Records kGone or kSent, and whether it succeeded. After kOver nothing refers to this object any
  // longer.
  State Note(Event event, bool ok);

 private:
  void HandleStatus();
  void HandleEncrypt();
  void HandleDecrypt();
  void Answer(const PublicError& error, const google::protobuf::MessageLite& response);
  void Refuse(const PublicError& error);
  void FinishSoon();
  [[nodiscard]] BootTime CallerDeadline() const;

  AnswerQueue& answers_;
  KmsService& service_;
  KmsMethod method_;
  Tag arrived_{this, Event::kArrived};
  Tag gone_{this, Event::kGone};
  Tag sent_{this, Event::kSent};
  int events_due_ = 1;
  std::atomic<bool> answered_{false};
  CallCountsPtr counts_;
  KmsCallPtr call_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer answer_;
  grpc::Status status_;
  grpc::ServerContext context_;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> writer_{&context_};
};

}  // namespace baokms::supervisor
