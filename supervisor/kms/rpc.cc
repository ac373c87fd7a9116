#include "supervisor/kms/rpc.h"

#include <strings.h>

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include <google/protobuf/message_lite.h>
#include <grpc/support/time.h>

namespace baokms::supervisor {
namespace {

// Releases the bytes that Encode() handed to gRPC.
void WipeAndFree(void* bytes, std::size_t size) {
  const std::unique_ptr<std::uint8_t[]> owned(static_cast<std::uint8_t*>(bytes));
  ::explicit_bzero(owned.get(), size);
}

// Serialises the message into a buffer that is wiped once gRPC has written it.
grpc::ByteBuffer Encode(const google::protobuf::MessageLite& message) {
  const std::size_t size = message.ByteSizeLong();
  auto bytes = std::make_unique<std::uint8_t[]>(size);
  message.SerializeWithCachedSizesToArray(bytes.get());
  const grpc::Slice slice(bytes.release(), size, &WipeAndFree);
  return {&slice, 1};
}

// Parses the message and wipes its bytes where gRPC has read them to: the buffer remains until the
// connection has filled it, and nobody but this message uses these bytes of it.
bool Decode(const grpc::ByteBuffer& buffer, google::protobuf::MessageLite& message) {
  std::vector<grpc::Slice> slices;
  grpc::Slice copy;
  if (!buffer.Dump(&slices).ok() || !buffer.DumpToSingleSlice(&copy).ok()) {
    return false;
  }
  const bool parsed = message.ParseFromArray(copy.begin(), static_cast<int>(copy.size()));
  slices.push_back(copy);
  for (const grpc::Slice& slice : slices) {
    // gRPC offers no other way to write to it.
    ::explicit_bzero(const_cast<std::uint8_t*>(slice.begin()),  // NOLINT(*-const-cast)
                     slice.size());
  }
  return parsed;
}

grpc::Status ToGrpc(const PublicError& error) {
  return {static_cast<grpc::StatusCode>(error.code), std::string(error.text)};
}

}  // namespace

Rpc::Rpc(RawKmsService& raw,
         grpc::ServerCompletionQueue& queue,
         ServerTasks& tasks,
         KmsService& service,
         KmsMethod method)
    : tasks_(tasks), service_(service), method_(method) {
  if (method_ != KmsMethod::kStatus) {  // answered immediately, so cancellation is not observed
    context_.AsyncNotifyWhenDone(&gone_);
    events_due_ = 2;
  }
  switch (method_) {
    case KmsMethod::kStatus:
      raw.RequestStatus(&context_, &request_, &writer_, &queue, &queue, &arrived_);
      return;
    case KmsMethod::kEncrypt:
      raw.RequestEncrypt(&context_, &request_, &writer_, &queue, &queue, &arrived_);
      return;
    case KmsMethod::kDecrypt:
      raw.RequestDecrypt(&context_, &request_, &writer_, &queue, &queue, &arrived_);
      return;
  }
}

Rpc::~Rpc() {
  if (counts_ != nullptr) {
    --counts_->in_progress;
  }
}

void Rpc::Handle(CallCountsPtr counts) {
  counts_ = std::move(counts);
  if (counts_ != nullptr) {
    ++counts_->in_progress;
  }
  try {
    switch (method_) {
      case KmsMethod::kStatus:
        HandleStatus();
        break;
      case KmsMethod::kEncrypt:
        HandleEncrypt();
        break;
      case KmsMethod::kDecrypt:
        HandleDecrypt();
        break;
    }
  } catch (...) {
    Refuse(ErrorFor(Cause::kPanic));
  }
}

void Rpc::HandleStatus() {
  const KmsService::StatusAnswer answer = service_.Status();
  Answer(answer.error, answer.response);
}

void Rpc::HandleEncrypt() {
  v2::EncryptRequest request;
  const bool parsed = Decode(request_, request);
  request_.Clear();
  if (!parsed) {
    ::explicit_bzero(request.mutable_plaintext()->data(), request.plaintext().size());
    Refuse(ErrorFor(Cause::kBadAnswer));
    return;
  }
  call_ = service_.Encrypt(request, CallerDeadline(),
                           [this](const PublicError& error, const v2::EncryptResponse& response) {
                             Answer(error, response);
                           });
}

void Rpc::HandleDecrypt() {
  v2::DecryptRequest request;
  const bool parsed = Decode(request_, request);
  request_.Clear();
  if (!parsed) {
    Refuse(ErrorFor(Cause::kBadAnswer));
    return;
  }
  call_ = service_.Decrypt(
      request, CallerDeadline(),
      [this](const PublicError& error, std::span<const std::uint8_t> plaintext) {
        v2::DecryptResponse response;
        // Not set_plaintext(), which assigns a string of its own that it does not wipe.
        response.mutable_plaintext()->assign(reinterpret_cast<const char*>(plaintext.data()),
                                             plaintext.size());
        Answer(error, response);
        ::explicit_bzero(response.mutable_plaintext()->data(), response.plaintext().size());
      });
}

// Returns the client's deadline on the local clock. grpc-timeout is relative, so no clocks are
// compared.
BootTime Rpc::CallerDeadline() const {
  const gpr_timespec deadline = context_.raw_deadline();
  if (gpr_time_cmp(deadline, gpr_inf_future(deadline.clock_type)) == 0) {
    return BootTime::max();
  }
  constexpr std::int64_t kMaxSeconds = 24 * 3600;  // a longer timeout counts as no deadline
  const gpr_timespec left = gpr_time_sub(deadline, gpr_now(deadline.clock_type));
  if (left.tv_sec > kMaxSeconds) {
    return BootTime::max();
  }
  return BootNow() + std::chrono::seconds(left.tv_sec) + std::chrono::nanoseconds(left.tv_nsec);
}

void Rpc::Answer(const PublicError& error, const google::protobuf::MessageLite& response) {
  if (error.code != GrpcCode::kOk) {
    Refuse(error);
  } else if (!answered_.exchange(true)) {
    answer_ = Encode(response);
    FinishSoon();
  }
}

void Rpc::Refuse(const PublicError& error) {
  if (!answered_.exchange(true)) {
    status_ = ToGrpc(error);
    FinishSoon();
  }
}

// May destroy this object: the completion queue's thread deletes it once it was answered.
void Rpc::FinishSoon() {
  if (tasks_.IsServedByThisThread()) {
    Finish();
  } else {
    tasks_.Add([this] { Finish(); });
  }
}

void Rpc::Finish() {
  if (status_.ok()) {
    writer_.Finish(answer_, status_, &sent_);
  } else {
    writer_.FinishWithError(status_, &sent_);
  }
}

Rpc::State Rpc::Note(Event event, bool ok) {
  if (event == Event::kSent && ok && counts_ != nullptr) {
    ++counts_->completed;
  }
  if (event == Event::kGone && call_ != nullptr && context_.IsCancelled()) {
    call_->Cancel();
  }
  --events_due_;
  return events_due_ == 0 ? State::kOver : State::kAlive;
}

}  // namespace baokms::supervisor
