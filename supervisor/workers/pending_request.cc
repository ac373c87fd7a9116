#include "supervisor/workers/pending_request.h"

#include <strings.h>

#include <limits>
#include <string>
#include <utility>
#include <variant>

namespace baokms::supervisor {
namespace {

// Wipes the secret of `message` if it has one.
template <typename Request>
void WipeSecret(Request& message) {
  if constexpr (HasPlaintext<Request>) {
    std::string& secret = *message.mutable_plaintext();
    ::explicit_bzero(secret.data(), secret.size());
  }
}

template <typename Request>
struct HeldRequest {
  explicit HeldRequest(Request taken) : message(std::move(taken)) {}

  HeldRequest(const HeldRequest&) = delete;
  HeldRequest& operator=(const HeldRequest&) = delete;

  ~HeldRequest() { WipeSecret(message); }

  Request message;
};

template <typename Request>
SharedMessage Hold(Request request) {
  const auto held = std::make_shared<HeldRequest<Request>>(std::move(request));
  return {held, &held->message};
}

// Calls `visit` with the request in its concrete type; `request` and `done` were set together.
template <typename Visitor>
auto VisitRequest(const PendingRequest& pending, const Visitor& visit) {
  return std::visit(
      [&]<typename Answer>(const OnReply<Answer>& /*done*/) {
        using Request = typename RowOf<Answer>::type::Request;
        return visit(static_cast<const Request&>(*pending.request));
      },
      pending.done);
}

template <typename Answer>
std::uint32_t AccountedFor(const Answer& answer) {
  if constexpr (requires { answer.stages(); }) {
    const ipc::Stages& stages = answer.stages();
    const std::uint64_t sum =
        std::uint64_t{stages.token_wait_us()} + stages.connect_us() + stages.openbao_us();
    constexpr auto kMax = std::numeric_limits<std::uint32_t>::max();
    return sum > kMax ? kMax : static_cast<std::uint32_t>(sum);
  } else {
    return 0;
  }
}

template <typename Answer>
Reply<Answer> MakeReply(const PendingRequest& pending, Answer answer, BootTime now) {
  Reply<Answer> reply;
  if (pending.sent != BootTime::zero()) {
    reply.queue_us = Microseconds(pending.sent - pending.submitted);
    const std::uint32_t total = Microseconds(now - pending.sent);
    const std::uint32_t inside = AccountedFor(answer);
    reply.ipc_us = total > inside ? total - inside : 0;
  } else {
    reply.queue_us = Microseconds(now - pending.submitted);
  }
  reply.replays = pending.replays;
  reply.hedged = pending.hedged;
  reply.answer = std::move(answer);
  return reply;
}

// Returns the type and a copy of `request` without the fields that differ between two equal ones.
// Nothing is added after the plaintext, because a text that grows leaves a copy of itself behind.
template <typename Request>
std::string PayloadOf(Request request, ipc::MessageType type) {
  request.clear_id();
  request.clear_deadline_ns();
  if constexpr (requires { request.clear_table_generation(); }) {
    request.clear_table_generation();
  }
  if constexpr (requires { request.clear_fresh_connection(); }) {
    request.clear_fresh_connection();
  }
  std::string payload(1, static_cast<char>(type));
  request.AppendToString(&payload);
  WipeSecret(request);
  return payload;
}

}  // namespace

PendingRequestPtr MakePending(RequestId id, AnyRequest request, WorkerChoice choice, AnyDone done) {
  auto pending = std::make_shared<PendingRequest>();
  pending->id = id;
  pending->choice = choice;
  pending->done = std::move(done);
  std::visit(
      [&]<typename Request>(Request& typed) {
        typed.set_id(id);
        pending->type = RowOf<Request>::type::kType;
        pending->deadline = BootTime(typed.deadline_ns());
        pending->request = Hold(std::move(typed));
      },
      request);
  return pending;
}

bool GoesOnElsewhere(PendingRequest& pending, Slot slot) {
  if (pending.slot == slot) {
    pending.slot = pending.hedge;
  }
  pending.hedge.reset();
  return pending.slot.has_value();
}

contract::Sha256Digest Fingerprint(const PendingRequest& pending) {
  std::string text = VisitRequest(
      pending, [&pending](const auto& request) { return PayloadOf(request, pending.type); });
  const contract::Sha256Digest digest = contract::Sha256(contract::AsBytes(text));
  ::explicit_bzero(text.data(), text.size());
  return digest;
}

void UseFreshConnection(PendingRequest& pending) {
  pending.request = VisitRequest(pending, [&pending](const auto& request) {
    auto copy = request;
    if constexpr (requires { copy.set_fresh_connection(true); }) {
      copy.set_fresh_connection(true);
      return Hold(std::move(copy));
    } else {
      return pending.request;
    }
  });
}

void Complete(const PendingRequest& pending,
              AnyAnswer answer,
              const WorkerProcess& worker,
              BootTime now) {
  std::visit(
      [&]<typename Answer>(const OnReply<Answer>& done) {
        Reply<Answer> reply = MakeReply(pending, std::get<Answer>(std::move(answer)), now);
        reply.worker = worker;
        done(std::move(reply));
      },
      pending.done);
}

void Fail(const PendingRequest& pending,
          ipc::Outcome outcome,
          const WorkerProcess& worker,
          BootTime now) {
  std::visit(
      [&]<typename Answer>(const OnReply<Answer>& done) {
        Answer answer;
        answer.set_outcome(outcome);
        Reply<Answer> reply = MakeReply(pending, std::move(answer), now);
        reply.worker = worker;
        done(std::move(reply));
      },
      pending.done);
}

}  // namespace baokms::supervisor
