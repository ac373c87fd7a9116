#include "common/openbao/socket_requests.h"

#include <algorithm>
#include <utility>

#include "common/openbao/http_limits.h"

namespace baokms::openbao {

SocketRequests::SocketRequests(EventLoop& loop,
                               Connector& connector,
                               Callbacks callbacks,
                               std::uint32_t first_endpoint,
                               std::size_t endpoint_count)
    : loop_(loop),
      connector_(connector),
      callbacks_(std::move(callbacks)),
      first_endpoint_(first_endpoint),
      count_(endpoint_count) {
}

SocketRequests::~SocketRequests() {
  while (!requests_.empty()) {
    Drop(requests_.front());
  }
}

SocketRequest& SocketRequests::Ask(std::uint32_t endpoint,
                                   const std::vector<std::uint32_t>& tried,
                                   PendingCall& owner) {
  SocketRequest& request = requests_.emplace_back();
  request.endpoint = endpoint;
  request.is_first = tried.empty();
  request.owner = &owner;
  ++count_[endpoint];
  request.id = connector_.RequestSocket(
      first_endpoint_ + endpoint, tried,
      [this, &request](SocketAnswer answer) { OnAnswer(request, std::move(answer)); });
  return request;
}

SocketRequest* SocketRequests::Reuse(std::uint32_t endpoint, PendingCall& owner) {
  const auto found = std::ranges::find_if(requests_, [&](const SocketRequest& request) {
    return request.owner == nullptr && request.endpoint == endpoint && request.is_first;
  });
  if (found == requests_.end()) {
    return nullptr;
  }
  loop_.Cancel(std::exchange(found->expiry, 0));
  found->owner = &owner;
  return &*found;
}

SocketAnswer SocketRequests::Take(SocketRequest& request) {
  SocketAnswer answer = std::move(request.answer);
  Forget(request);
  return answer;
}

void SocketRequests::MakeSpare(SocketRequest& request) {
  request.owner = nullptr;
  if (request.expiry == 0) {
    request.expiry = loop_.After(kSpareSocketLifetime, [this, &request] {
      request.expiry = 0;
      Drop(request);
    });
  }
}

void SocketRequests::Drop(SocketRequest& request) {
  if (request.id != 0) {
    connector_.CancelRequest(request.id);
  }
  Forget(request);
}

void SocketRequests::OnAnswer(SocketRequest& request, SocketAnswer answer) {
  request.id = 0;
  if (answer.error_class == ErrorClass::kOk && answer.socket.fd.valid()) {
    request.answer = std::move(answer);
    callbacks_.arrived(request);
    return;
  }
  PendingCall* const owner = request.owner;
  Forget(request);
  if (answer.error_class == ErrorClass::kOk) {
    answer.error_class = ErrorClass::kConnectionFailed;
  }
  callbacks_.failed(owner, answer);
}

void SocketRequests::Forget(SocketRequest& request) {
  loop_.Cancel(request.expiry);
  --count_[request.endpoint];
  requests_.remove_if([&](const SocketRequest& candidate) { return &candidate == &request; });
}

}  // namespace baokms::openbao
