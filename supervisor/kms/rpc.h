// One gRPC call of any method, from its registration with gRPC to its answer. Messages are parsed
// and serialised here rather than by gRPC, so that this process's own copies of plaintext are
// wiped. Includes gRPC, so only server.cc and rpc.cc may include it.

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>

#include "common/base/clock.h"
#include "proto/kms_v2.grpc.pb.h"
#include "supervisor/kms/call_counts.h"
#include "supervisor/kms/error_policy.h"
#include "supervisor/kms/kms_call.h"
#include "supervisor/kms/server_tasks.h"
#include "supervisor/kms/service.h"
#include "supervisor/observe/metrics.h"

namespace baokms::supervisor {

// The KMS service with raw bytes instead of messages for all three methods.
using RawKmsService =
    v2::KeyManagementService::WithRawMethod_Status<v2::KeyManagementService::WithRawMethod_Decrypt<
        v2::KeyManagementService::WithRawMethod_Encrypt<v2::KeyManagementService::Service>>>;

// Created, started and destroyed on the completion queue's thread. The answer may come from any
// thread.
class Rpc final {
 public:
  enum class Event : std::uint8_t {
    kArrived,  // a client called
    kGone,     // gRPC is done with the call: answered, cancelled or disconnected
    kSent,     // the answer was written or cannot be written
    kTasks,    // other threads have work for the completion queue's thread
  };

  // The tag of an event in the completion queue.
  struct Tag {
    Rpc* rpc = nullptr;
    Event event{};
  };

  Rpc(RawKmsService& raw,
      grpc::ServerCompletionQueue& queue,
      ServerTasks& tasks,
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

  // Hands the answer to gRPC. Must be called once, on the completion queue's thread.
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

  ServerTasks& tasks_;
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
