// Takes answers from other threads to the thread that serves gRPC's completion queue. gRPC is then
// entered by one thread alone: two that meet inside it wait for each other and wake a third one,
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
  // `wake_up` is what `queue` hands out when TakeAll() is due. Both must outlive this object.
  AnswerQueue(grpc::CompletionQueue& queue, void* wake_up) : queue_(queue), wake_up_(wake_up) {}

  // Called once, by the thread that serves the completion queue.
  void ServedByThisThread() { server_ = std::this_thread::get_id(); }

  // Whether the caller may enter gRPC itself.
  [[nodiscard]] bool IsServedByThisThread() const { return server_ == std::this_thread::get_id(); }

  // One other thread. The call is answered soon and must live until then; the completion queue must
  // not be shut down meanwhile.
  void Add(Rpc& call);

  // Everything that was added since the last time.
  [[nodiscard]] std::vector<Rpc*> TakeAll();

 private:
  grpc::CompletionQueue& queue_;
  void* wake_up_;
  std::thread::id server_;
  std::mutex mutex_;
  std::vector<Rpc*> calls_;             // guarded by mutex_
  std::unique_ptr<grpc::Alarm> alarm_;  // the last one; the adding thread's
};

}  // namespace baokms::supervisor
