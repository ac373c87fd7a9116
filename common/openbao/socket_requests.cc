#include "common/openbao/socket_requests.h"

#include <algorithm>
#include <utility>

#include "common/openbao/http_limits.h"

namespace baokms::openbao {

SocketRequests::SocketRequests(EventLoop& loop,
                               Connector& connector,
                               Listener& listener,
                               std::uint32_t first_endpoint,
                               std::size_t endpoint_count)
    : loop_(loop),
      connector_(connector),
      listener_(listener),
      first_endpoint_(first_endpoint),
      count_(endpoint_count) {
}

SocketRequests::~SocketRequests() {
  while (!attempts_.empty()) {
    Drop(attempts_.front());
  }
}

SocketRequest& SocketRequests::Ask(std::uint32_t endpoint,
                                   const std::vector<std::uint32_t>& tried,
                                   PendingCall& owner) {
  SocketRequest& attempt = attempts_.emplace_back();
  attempt.endpoint = endpoint;
  attempt.is_first = tried.empty();
  attempt.owner = &owner;
  ++count_[endpoint];
  attempt.request = connector_.RequestSocket(
      first_endpoint_ + endpoint, tried,
      [this, &attempt](SocketAnswer answer) { OnAnswer(attempt, std::move(answer)); });
  return attempt;
}

SocketRequest* SocketRequests::Reuse(std::uint32_t endpoint, PendingCall& owner) {
  const auto found = std::ranges::find_if(attempts_, [&](const SocketRequest& attempt) {
    return attempt.owner == nullptr && attempt.endpoint == endpoint && attempt.is_first;
  });
  if (found == attempts_.end()) {
    return nullptr;
  }
  loop_.Cancel(std::exchange(found->expiry, 0));
  found->owner = &owner;
  return &*found;
}

SocketAnswer SocketRequests::Take(SocketRequest& attempt) {
  SocketAnswer answer = std::move(attempt.answer);
  Forget(attempt);
  return answer;
}

void SocketRequests::MakeSpare(SocketRequest& attempt) {
  attempt.owner = nullptr;
  if (attempt.expiry == 0) {
    attempt.expiry = loop_.After(kSpareSocketLifetime, [this, &attempt] {
      attempt.expiry = 0;
      Drop(attempt);
    });
  }
}

void SocketRequests::Drop(SocketRequest& attempt) {
  if (attempt.request != 0) {
    connector_.CancelRequest(attempt.request);
  }
  Forget(attempt);
}

void SocketRequests::OnAnswer(SocketRequest& attempt, SocketAnswer answer) {
  attempt.request = 0;
  if (answer.error_class == ErrorClass::kOk && answer.socket.fd.valid()) {
    attempt.answer = std::move(answer);
    listener_.SocketCame(attempt);
    return;
  }
  PendingCall* const owner = attempt.owner;
  Forget(attempt);
  if (answer.error_class == ErrorClass::kOk) {
    answer.error_class = ErrorClass::kConnectionFailed;
  }
  listener_.SocketFailed(owner, answer);
}

void SocketRequests::Forget(SocketRequest& attempt) {
  loop_.Cancel(attempt.expiry);
  --count_[attempt.endpoint];
  attempts_.remove_if([&](const SocketRequest& candidate) { return &candidate == &attempt; });
}

}  // namespace baokms::openbao
