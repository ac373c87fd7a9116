#include "tests/bench/kms_load.h"

#include <sys/random.h>

#include <array>
#include <iostream>
#include <optional>
#include <string_view>
#include <utility>

#include <grpcpp/grpcpp.h>

namespace baokms::bench {
namespace {

using Stub = v2::KeyManagementService::Stub;

constexpr int kMaxAnswerBytes = 1 << 20;

// What is specific to one of the three methods.
template <typename RequestType, typename ResponseType>
struct Method {
  using Request = RequestType;
  using Response = ResponseType;
  using Reader = std::unique_ptr<grpc::ClientAsyncResponseReader<Response>>;

  Reader (Stub::*begin)(grpc::ClientContext*, const Request&, grpc::CompletionQueue*);
  const std::vector<Request>& requests;
  // Whether the answer to request number n is right.
  std::function<bool(std::size_t n, const Response&)> is_right;
};

// One call in flight, and the next one when it ends. Its address is the call's tag.
template <typename Method>
struct Slot {
  std::size_t number = 0;
  std::size_t request = 0;
  Clock::time_point began;
  std::optional<grpc::ClientContext> context;
  typename Method::Response response;
  grpc::Status status;
  typename Method::Reader reader;
};

template <typename Method>
void Begin(Stub& stub, const Method& method, Slot<Method>& slot, grpc::CompletionQueue& queue) {
  slot.context.emplace();
  slot.context->set_deadline(std::chrono::system_clock::now() + kCallLimit);
  slot.response.Clear();
  slot.began = Clock::now();
  slot.reader = (stub.*method.begin)(&*slot.context, method.requests[slot.request], &queue);
  slot.reader->Finish(&slot.response, &slot.status, &slot);
}

Error Complain(const grpc::Status& status) {
  std::cerr << "provider: " << status.error_code() << ": " << status.error_message() << '\n';
  return {ErrorCode::kUnavailable, "a KMS call failed"};
}

// A failed call ends the run at once; the queue is drained by its owner.
template <typename Method>
Status Drive(Stub& stub,
             const Method& method,
             std::vector<Slot<Method>>& slots,
             grpc::CompletionQueue& queue,
             Recorder& recorder) {
  for (std::size_t n = 0; n < slots.size(); ++n) {
    slots[n].number = slots[n].request = n;
    Begin(stub, method, slots[n], queue);
  }
  std::size_t in_flight = slots.size();
  void* tag = nullptr;
  bool ok = false;
  while (in_flight > 0 && queue.Next(&tag, &ok)) {
    auto& slot = *static_cast<Slot<Method>*>(tag);
    const auto now = Clock::now();
    if (!slot.status.ok()) {
      return Complain(slot.status);
    }
    if (!method.is_right(slot.request, slot.response)) {
      return Error(ErrorCode::kInternal, "a KMS call gave a wrong answer");
    }
    recorder.Add(slot.began, now);
    if (recorder.Open(now)) {
      slot.request = NextRequest(slot.request, slot.number, slots.size());
      Begin(stub, method, slot, queue);
    } else {
      --in_flight;
    }
  }
  return {};
}

template <typename Method>
Status RunMethod(Stub& stub, const Method& method, std::size_t concurrency, Recorder& recorder) {
  std::vector<Slot<Method>> slots(concurrency);
  grpc::CompletionQueue queue;
  Status outcome = Drive(stub, method, slots, queue, recorder);
  if (!outcome) {
    for (auto& slot : slots) {
      slot.context->TryCancel();
    }
  }
  queue.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) {
  }
  return outcome;
}

std::string NewUid(std::size_t number) {
  return "00000000-0000-4000-8000-" + std::to_string(100'000'000'000 + number);
}

}  // namespace

std::shared_ptr<grpc::Channel> MakeKmsChannel(const std::string& socket_path) {
  grpc::ChannelArguments arguments;
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  arguments.SetInt(GRPC_ARG_MINIMAL_STACK, 1);
  arguments.SetMaxReceiveMessageSize(kMaxAnswerBytes);
  return grpc::CreateCustomChannel("unix:" + socket_path, grpc::InsecureChannelCredentials(),
                                   arguments);
}

v2::EncryptRequest RandomEncryptRequest() {
  std::array<char, kPlaintextBytes> seed{};
  if (getrandom(seed.data(), seed.size(), 0) != static_cast<ssize_t>(seed.size())) {
    std::abort();
  }
  v2::EncryptRequest request;
  request.set_plaintext(seed.data(), seed.size());
  request.set_uid(NewUid(0));
  return request;
}

KmsLoad::KmsLoad(const std::string& socket_path)
    : stub_(v2::KeyManagementService::NewStub(MakeKmsChannel(socket_path))),
      statuses_(kDistinctRequests) {
}

Status KmsLoad::Prepare(Operation operation) {
  if (operation == Operation::kStatus || !decrypts_.empty()) {
    return {};
  }
  for (std::size_t n = 0; n < kDistinctRequests; ++n) {
    v2::EncryptRequest& encrypt = encrypts_.emplace_back(RandomEncryptRequest());
    encrypt.set_uid(NewUid(n));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallLimit);
    v2::EncryptResponse answer;
    const grpc::Status status = stub_->Encrypt(&context, encrypt, &answer);
    if (!status.ok()) {
      return Complain(status);
    }
    v2::DecryptRequest& decrypt = decrypts_.emplace_back();
    decrypt.set_ciphertext(answer.ciphertext());
    decrypt.set_key_id(answer.key_id());
    decrypt.set_uid(NewUid(n));
    *decrypt.mutable_annotations() = answer.annotations();
  }
  return {};
}

Status KmsLoad::Run(Operation operation, std::size_t concurrency, Recorder& recorder) {
  switch (operation) {
    case Operation::kEncrypt: {
      const Method<v2::EncryptRequest, v2::EncryptResponse> method{
          &Stub::AsyncEncrypt, encrypts_, [](std::size_t, const v2::EncryptResponse& answer) {
            return !answer.ciphertext().empty() && !answer.key_id().empty();
          }};
      return RunMethod(*stub_, method, concurrency, recorder);
    }
    case Operation::kDecrypt: {
      const Method<v2::DecryptRequest, v2::DecryptResponse> method{
          &Stub::AsyncDecrypt, decrypts_, [this](std::size_t n, const v2::DecryptResponse& answer) {
            return answer.plaintext() == encrypts_[n].plaintext();
          }};
      return RunMethod(*stub_, method, concurrency, recorder);
    }
    case Operation::kStatus: {
      const Method<v2::StatusRequest, v2::StatusResponse> method{
          &Stub::AsyncStatus, statuses_, [](std::size_t, const v2::StatusResponse& answer) {
            return answer.healthz() == "ok";
          }};
      return RunMethod(*stub_, method, concurrency, recorder);
    }
  }
  return Error(ErrorCode::kInternal, "unknown operation");
}

}  // namespace baokms::bench
