// Hands answers from other threads to the thread that serves gRPC's completion queue, so that only
// one thread ever enters gRPC: two threads inside it wait for each other and wake a third one,
// which costs more than the hand-over. Includes gRPC, so only server.cc and rpc.cc may include it.

#pragma once

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

namespace baokms::supervisor {

class Rpc;

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

}  // namespace baokms::supervisor
