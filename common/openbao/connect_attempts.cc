#include "common/openbao/connect_attempts.h"

#include <algorithm>
#include <utility>

#include "common/openbao/http_limits.h"

namespace baokms::openbao {

ConnectAttempts::ConnectAttempts(EventLoop& loop,
                                 Connector& connector,
                                 Listener& listener,
                                 std::size_t endpoint_count)
    : loop_(loop),
      connector_(connector),
      listener_(listener),
      count_(endpoint_count),
      address_count_(endpoint_count, 1) {
}

ConnectAttempts::~ConnectAttempts() {
  while (!dials_.empty()) {
    Drop(dials_.front());
  }
}

ConnectAttempt& ConnectAttempts::Ask(std::uint32_t endpoint, std::uint32_t attempt, Call& owner) {
  ConnectAttempt& dial = dials_.emplace_back();
  dial.endpoint = endpoint;
  dial.attempt = attempt;
  dial.owner = &owner;
  ++count_[endpoint];
  dial.request = connector_.RequestSocket(
      endpoint, attempt, [this, &dial](SocketAnswer answer) { OnAnswer(dial, std::move(answer)); });
  return dial;
}

ConnectAttempt* ConnectAttempts::Reuse(std::uint32_t endpoint, Call& owner) {
  const auto found = std::find_if(dials_.begin(), dials_.end(), [&](const ConnectAttempt& dial) {
    return dial.owner == nullptr && dial.endpoint == endpoint && dial.attempt == 0;
  });
  if (found == dials_.end()) {
    return nullptr;
  }
  loop_.Cancel(std::exchange(found->expiry, 0));
  found->owner = &owner;
  return &*found;
}

BrokeredSocket ConnectAttempts::Take(ConnectAttempt& dial) {
  BrokeredSocket socket = std::move(dial.socket);
  Forget(dial);
  return socket;
}

void ConnectAttempts::MakeSpare(ConnectAttempt& dial) {
  dial.owner = nullptr;
  if (dial.expiry == 0) {
    dial.expiry = loop_.After(kSpareSocketLife, [this, &dial] {
      dial.expiry = 0;
      Drop(dial);
    });
  }
}

void ConnectAttempts::Drop(ConnectAttempt& dial) {
  if (dial.request != 0) {
    connector_.CancelRequest(dial.request);
  }
  Forget(dial);
}

void ConnectAttempts::OnAnswer(ConnectAttempt& dial, SocketAnswer answer) {
  dial.request = 0;
  if (answer.error_class == ErrorClass::kOk && answer.socket.fd.valid()) {
    address_count_[dial.endpoint] =
        std::clamp(answer.socket.address_count, std::uint32_t{1}, kMaxAddresses);
    dial.socket = std::move(answer.socket);
    listener_.SocketCame(dial);
    return;
  }
  Call* const owner = dial.owner;
  Forget(dial);
  listener_.SocketFailed(owner, answer.error_class == ErrorClass::kOk
                                    ? ErrorClass::kConnectionFailed
                                    : answer.error_class);
}

void ConnectAttempts::Forget(ConnectAttempt& dial) {
  loop_.Cancel(dial.expiry);
  --count_[dial.endpoint];
  dials_.remove_if([&](const ConnectAttempt& candidate) { return &candidate == &dial; });
}

}  // namespace baokms::openbao
