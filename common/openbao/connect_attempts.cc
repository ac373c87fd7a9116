#include "common/openbao/connect_attempts.h"

#include <algorithm>
#include <utility>

#include "common/openbao/http_limits.h"

namespace baokms::openbao {

ConnectAttempts::ConnectAttempts(EventLoop& loop,
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

ConnectAttempts::~ConnectAttempts() {
  while (!attempts_.empty()) {
    Drop(attempts_.front());
  }
}

ConnectAttempt& ConnectAttempts::Ask(std::uint32_t endpoint,
                                     const std::vector<std::uint32_t>& tried,
                                     Call& owner) {
  ConnectAttempt& attempt = attempts_.emplace_back();
  attempt.endpoint = endpoint;
  attempt.is_first = tried.empty();
  attempt.owner = &owner;
  ++count_[endpoint];
  attempt.request = connector_.RequestSocket(
      first_endpoint_ + endpoint, tried,
      [this, &attempt](SocketAnswer answer) { OnAnswer(attempt, std::move(answer)); });
  return attempt;
}

ConnectAttempt* ConnectAttempts::Reuse(std::uint32_t endpoint, Call& owner) {
  const auto found = std::ranges::find_if(attempts_, [&](const ConnectAttempt& attempt) {
    return attempt.owner == nullptr && attempt.endpoint == endpoint && attempt.is_first;
  });
  if (found == attempts_.end()) {
    return nullptr;
  }
  loop_.Cancel(std::exchange(found->expiry, 0));
  found->owner = &owner;
  return &*found;
}

SocketAnswer ConnectAttempts::Take(ConnectAttempt& attempt) {
  SocketAnswer answer = std::move(attempt.answer);
  Forget(attempt);
  return answer;
}

void ConnectAttempts::MakeSpare(ConnectAttempt& attempt) {
  attempt.owner = nullptr;
  if (attempt.expiry == 0) {
    attempt.expiry = loop_.After(kSpareSocketLife, [this, &attempt] {
      attempt.expiry = 0;
      Drop(attempt);
    });
  }
}

void ConnectAttempts::Drop(ConnectAttempt& attempt) {
  if (attempt.request != 0) {
    connector_.CancelRequest(attempt.request);
  }
  Forget(attempt);
}

void ConnectAttempts::OnAnswer(ConnectAttempt& attempt, SocketAnswer answer) {
  attempt.request = 0;
  if (answer.error_class == ErrorClass::kOk && answer.socket.fd.valid()) {
    attempt.answer = std::move(answer);
    listener_.SocketCame(attempt);
    return;
  }
  Call* const owner = attempt.owner;
  Forget(attempt);
  if (answer.error_class == ErrorClass::kOk) {
    answer.error_class = ErrorClass::kConnectionFailed;
  }
  listener_.SocketFailed(owner, answer);
}

void ConnectAttempts::Forget(ConnectAttempt& attempt) {
  loop_.Cancel(attempt.expiry);
  --count_[attempt.endpoint];
  attempts_.remove_if([&](const ConnectAttempt& candidate) { return &candidate == &attempt; });
}

}  // namespace baokms::openbao
