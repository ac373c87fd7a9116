// Work that other threads have for the thread that serves gRPC's completion queue. Includes gRPC,
// so only server.cc and rpc.h may include it.

#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>

namespace baokms::supervisor {

// Only the thread that serves the completion queue ever enters gRPC. Two threads inside it wait for
// each other and wake a third one, which costs more than the hand-over. And whoever enters it may
// have to process what any client sends, for as long as that client goes on sending: the loop's
// thread, which watches for floods, must not be the one.
class ServerTasks final {
 public:
  using Task = std::function<void()>;

  // `queue` returns `wake_up` as an event's tag when TakeAll() must be called. Both must outlive
  // this object.
  ServerTasks(grpc::CompletionQueue& queue, void* wake_up) : queue_(queue), wake_up_(wake_up) {}

  // Declares the calling thread to be the one that serves the completion queue. Called once.
  void ServedByThisThread() { server_ = std::this_thread::get_id(); }

  // Returns whether the calling thread may enter gRPC directly.
  [[nodiscard]] bool IsServedByThisThread() const { return server_ == std::this_thread::get_id(); }

  // Queues a task. May be called from one other thread, and not after the completion queue was shut
  // down.
  void Add(Task task);

  // Removes and returns every task that was added since the previous call, in their order.
  [[nodiscard]] std::vector<Task> TakeAll();

 private:
  grpc::CompletionQueue& queue_;
  void* wake_up_;
  std::thread::id server_;
  std::mutex mutex_;
  std::vector<Task> tasks_;             // guarded by mutex_
  std::unique_ptr<grpc::Alarm> alarm_;  // the latest one; only the adding thread uses it
};

}  // namespace baokms::supervisor
