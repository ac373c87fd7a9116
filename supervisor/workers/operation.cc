#include "supervisor/workers/operation.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include <strings.h>

#include <type_traits>
#include <utility>
#include <variant>

#include <google/protobuf/message_lite.h>

#include "common/base/clock.h"
#include "common/base/elapsed.h"
#include "common/contract/encoding.h"
#include "proto/ipc.pb.h"
#include "supervisor/workers/worker_pool.h"

namespace baokms::supervisor {
namespace {

template <typename Request>
concept HasPlaintext = requires(Request& request) {
  request.mutable_plaintext();
};

template <typename Request>
struct Held {
  explicit Held(Request taken) : message(std::move(taken)) {}

  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  ~Held() {
    if constexpr (HasPlaintext<Request>) {
      std::string& secret = *message.mutable_plaintext();
      ::explicit_bzero(secret.data(), secret.size());
    }
  }

  Request message;
};

template <typename Request>
SharedMessage Hold(Request request) {
  const auto held = std::make_shared<Held<Request>>(std::move(request));
  return {held, &held->message};
}

template <typename Answer>
std::uint32_t AccountedFor(const Answer& answer) {
  if constexpr (requires { answer.stages(); }) {
    const ipc::Stages& stages = answer.stages();
    const std::uint64_t sum =
        std::uint64_t{stages.token_wait_us()} + stages.connect_us() + stages.openbao_us();
    constexpr auto kMost = std::numeric_limits<std::uint32_t>::max();
    return sum > kMost ? kMost : static_cast<std::uint32_t>(sum);
  } else {
    return 0;
  }
}

template <typename Answer>
Reply<Answer> MakeReply(const Operation& operation, Answer answer, BootTime now) {
  Reply<Answer> reply;
  if (operation.sent != BootTime::zero()) {
    reply.queue_us = Microseconds(operation.sent - operation.submitted);
    const std::uint32_t total = Microseconds(now - operation.sent);
    const std::uint32_t inside = AccountedFor(answer);
    reply.ipc_us = total > inside ? total - inside : 0;
  } else {
    reply.queue_us = Microseconds(now - operation.submitted);
  }
  reply.replays = operation.replays;
  reply.answer = std::move(answer);
  return reply;
}

// The answer type that a callback takes.
template <typename Done>
struct AnswerOf;

template <typename Answer>
struct AnswerOf<OnReply<Answer>> {
  using Type = Answer;
};

// `message` with everything cleared that differs between two equal requests.
template <typename Request>
std::string PayloadOf(const google::protobuf::MessageLite& message) {
  // The type was fixed together with the message when the operation was made.
  Request request = static_cast<const Request&>(message);
  request.clear_id();
  request.clear_deadline_ns();
  if constexpr (std::is_same_v<Request, ipc::EncryptRequest>) {
    request.clear_table_generation();
  }
  if constexpr (std::is_same_v<Request, ipc::DecryptRequest>) {
    request.clear_fresh_connection();
  }
  std::string payload = request.SerializeAsString();
  if constexpr (HasPlaintext<Request>) {
    ::explicit_bzero(request.mutable_plaintext()->data(), request.plaintext().size());
  }
  return payload;
}

std::string PayloadOf(const Operation& operation) {
  switch (operation.type) {
    case ipc::MessageType::kEncryptRequest:
      return PayloadOf<ipc::EncryptRequest>(*operation.request);
    case ipc::MessageType::kDecryptRequest:
      return PayloadOf<ipc::DecryptRequest>(*operation.request);
    case ipc::MessageType::kProbeEncryptRequest:
      return PayloadOf<ipc::ProbeEncryptRequest>(*operation.request);
    case ipc::MessageType::kProbeDecryptRequest:
      return PayloadOf<ipc::ProbeDecryptRequest>(*operation.request);
    default:
      return {};  // metadata: all requests are equal
  }
}

}  // namespace

SharedMessage HoldRequest(ipc::EncryptRequest request) {
  return Hold(std::move(request));
}

SharedMessage HoldRequest(ipc::DecryptRequest request) {
  return Hold(std::move(request));
}

SharedMessage HoldRequest(ipc::MetadataRequest request) {
  return Hold(std::move(request));
}

SharedMessage HoldRequest(ipc::ProbeEncryptRequest request) {
  return Hold(std::move(request));
}

SharedMessage HoldRequest(ipc::ProbeDecryptRequest request) {
  return Hold(std::move(request));
}

contract::Sha256Digest Fingerprint(const Operation& operation) {
  std::string text = PayloadOf(operation);
  text.push_back(static_cast<char>(operation.type));
  const contract::Sha256Digest digest = contract::Sha256(contract::AsBytes(text));
  ::explicit_bzero(text.data(), text.size());
  return digest;
}

SharedMessage OverFreshConnection(const google::protobuf::MessageLite& decrypt_request) {
  ipc::DecryptRequest copy = static_cast<const ipc::DecryptRequest&>(decrypt_request);
  copy.set_fresh_connection(true);
  return Hold(std::move(copy));
}

void Complete(const Operation& operation, AnyAnswer answer, Slot slot, BootTime now) {
  std::visit(
      [&](const auto& done) {
        using Answer = typename AnswerOf<std::decay_t<decltype(done)>>::Type;
        Reply<Answer> reply = MakeReply(operation, std::get<Answer>(std::move(answer)), now);
        reply.slot = slot;
        done(std::move(reply));
      },
      operation.done);
}

void Fail(const Operation& operation, ipc::Outcome outcome, BootTime now) {
  std::visit(
      [&](const auto& done) {
        using Answer = typename AnswerOf<std::decay_t<decltype(done)>>::Type;
        Answer answer;
        answer.set_outcome(outcome);
        done(MakeReply(operation, std::move(answer), now));
      },
      operation.done);
}

}  // namespace baokms::supervisor
