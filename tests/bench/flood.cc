#include "tests/bench/flood.h"

#include <array>
#include <list>
#include <memory>

#include <grpcpp/grpcpp.h>
#include <nlohmann/json.hpp>

#include "common/contract/encoding.h"
#include "proto/kms_v2.grpc.pb.h"
#include "tests/bench/kms_load.h"
#include "tests/bench/step.h"

namespace baokms::bench {
namespace {

using Deadline = std::chrono::system_clock::time_point;

struct Forged {
  grpc::ClientContext context;
  v2::DecryptResponse response;
  grpc::Status status;
  std::unique_ptr<grpc::ClientAsyncResponseReader<v2::DecryptResponse>> reader;
  std::list<Forged>::iterator self;  // its tag leads back to where it is kept
};

v2::DecryptRequest Forge(std::uint64_t number) {
  v2::DecryptRequest request;
  request.set_ciphertext("vault:v1:" + std::string(80, 'A'));
  request.set_uid("forged");
  request.set_key_id("obk2." + contract::HashText(std::to_string(number)));
  return request;
}

class Attack {
 public:
  explicit Attack(const std::string& socket_path)
      : stub_(v2::KeyManagementService::NewStub(MakeKmsChannel(socket_path))) {}

  void Send() {
    Forged& call = calls_.emplace_back();
    call.self = std::prev(calls_.end());
    call.context.set_deadline(std::chrono::system_clock::now() + kCallLimit);
    call.reader = stub_->AsyncDecrypt(&call.context, Forge(++sent_), &queue_);
    call.reader->Finish(&call.response, &call.status, &call);
  }

  // Takes answers until `until`, or until none is awaited.
  void Take(Deadline until) {
    void* tag = nullptr;
    bool ok = false;
    while (queue_.AsyncNext(&tag, &ok, until) == grpc::CompletionQueue::GOT_EVENT) {
      const auto* call = static_cast<Forged*>(tag);
      Count(call->status.error_code());
      calls_.erase(call->self);
    }
  }

  FloodAnswers End() {
    while (!calls_.empty()) {
      Take(std::chrono::system_clock::now() + std::chrono::milliseconds(10));
    }
    return answers_;
  }

 private:
  void Count(grpc::StatusCode code) {
    if (code == grpc::StatusCode::NOT_FOUND) {
      ++answers_.not_found;
    } else if (code == grpc::StatusCode::UNAVAILABLE) {
      ++answers_.unavailable;
    } else {
      ++answers_.other;
    }
  }

  std::unique_ptr<v2::KeyManagementService::Stub> stub_;
  grpc::CompletionQueue queue_;
  std::list<Forged> calls_;
  std::uint64_t sent_ = 0;
  FloodAnswers answers_;
};

}  // namespace

Result<FloodAnswers> Flood(const std::string& socket_path,
                           std::uint32_t per_second,
                           std::chrono::milliseconds duration) {
  if (per_second == 0) {
    return Error(ErrorCode::kInvalidArgument, "the rate is zero");
  }
  Attack attack(socket_path);
  const auto began = std::chrono::system_clock::now();
  for (std::uint64_t n = 0;; ++n) {
    const auto due = began + std::chrono::microseconds(n * 1'000'000 / per_second);
    if (due - began >= duration) {
      return attack.End();
    }
    attack.Take(due);
    attack.Send();
  }
}

std::string ToJson(const FloodAnswers& answers) {
  return nlohmann::json{{"not_found", answers.not_found},
                        {"unavailable", answers.unavailable},
                        {"other", answers.other}}
      .dump();
}

}  // namespace baokms::bench
