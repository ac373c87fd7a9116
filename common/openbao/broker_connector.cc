#include "common/openbao/broker_connector.h"

#include <sys/socket.h>
#include <fcntl.h>

#include <utility>

#include "common/base/error.h"
#include "common/openbao/error_class.h"

namespace baokms::openbao {
namespace {

// Returns the value of a socket option, or -1 when `fd` is not a socket or lacks the option.
int SocketOption(int fd, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

Status CheckSocket(int fd) {
  const int domain = SocketOption(fd, SO_DOMAIN);
  if ((domain != AF_INET && domain != AF_INET6) || SocketOption(fd, SO_TYPE) != SOCK_STREAM) {
    return Error(ErrorCode::kProtocolViolation, "the broker's descriptor is not a TCP socket");
  }
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || (flags & O_NONBLOCK) == 0) {
    return Error(ErrorCode::kProtocolViolation, "the broker's socket is not non-blocking");
  }
  return {};
}

ErrorClass ClassOfFailure(ipc::Outcome outcome) {
  switch (outcome) {
    case ipc::OUTCOME_DNS_FAILED:
      return ErrorClass::kDnsFailed;
    case ipc::OUTCOME_LOGIN_BUDGET:
      return ErrorClass::kLoginBudgetUsedUp;
    default:
      return ErrorClass::kConnectionFailed;
  }
}

// Makes the checks that do not depend on the request.
Status CheckAnswer(const ipc::ConnectAnswer& answer, const UniqueFd& fd) {
  const bool connected = answer.outcome() == ipc::OUTCOME_OK;
  if (connected != fd.valid()) {
    return Error(ErrorCode::kProtocolViolation, "ConnectAnswer with the wrong descriptor count");
  }
  if ((connected && answer.address() == 0) || answer.untried() > ipc::kMaxAddresses) {
    return Error(ErrorCode::kProtocolViolation, "ConnectAnswer with invalid addresses");
  }
  return connected ? CheckSocket(fd.get()) : Status();
}

}  // namespace

BrokerConnector::BrokerConnector(EventLoop& loop, Outgoing outgoing)
    : loop_(loop), outgoing_(std::move(outgoing)) {
}

BrokerConnector::~BrokerConnector() {
  for (const auto& [id, pending] : pending_) {
    loop_.Cancel(pending.timer);
  }
}

Connector::RequestId BrokerConnector::RequestSocket(std::uint32_t endpoint,
                                                    const std::vector<std::uint32_t>& tried,
                                                    Callback callback) {
  const RequestId id = ++last_id_;
  const auto timer = loop_.After(kConnectAnswerTimeout, [this, id] { GiveUp(id); });
  pending_.emplace(id, Pending{std::move(callback), timer});
  ipc::ConnectRequest& request = held_.emplace_back();
  request.set_id(id);
  request.set_endpoint(endpoint);
  request.mutable_tried()->Add(tried.begin(), tried.end());
  SendHeld();
  return id;
}

void BrokerConnector::SendHeld() {
  while (!held_.empty() && unanswered_ < ipc::kMaxUnansweredConnects) {
    ipc::ConnectRequest request = std::move(held_.front());
    held_.pop_front();
    Pending& pending = pending_.find(request.id())->second;
    if (!rate_.Take(BootNow())) {
      loop_.Cancel(pending.timer);
      pending.timer = loop_.After({}, [this, id = request.id()] { GiveUp(id); });
      continue;
    }
    pending.sent = true;
    ++unanswered_;
    request.set_receipt(last_receipt_);
    outgoing_.request(request);
  }
}

void BrokerConnector::GiveUp(RequestId request) {
  const Callback callback = Forget(pending_.find(request));
  callback({.error_class = ErrorClass::kConnectionFailed});
}

void BrokerConnector::CancelRequest(RequestId request) {
  const auto found = pending_.find(request);
  if (found != pending_.end()) {
    Forget(found);
  }
}

Connector::Callback BrokerConnector::Forget(std::map<RequestId, Pending>::iterator pending) {
  loop_.Cancel(pending->second.timer);
  if (pending->second.sent) {
    abandoned_.insert(pending->first);
  } else {
    std::erase_if(held_, [&](const auto& request) { return request.id() == pending->first; });
  }
  Callback callback = std::move(pending->second.callback);
  pending_.erase(pending);
  return callback;
}

void BrokerConnector::Report(std::uint64_t socket_id, SocketState state) {
  ipc::ConnectReport message;
  message.set_id(socket_id);
  message.set_usable(state == SocketState::kUsable);
  outgoing_.report(message);
}

Status BrokerConnector::OnAnswer(const ipc::ConnectAnswer& answer, UniqueFd fd) {
  BAOKMS_TRY(CheckAnswer(answer, fd));
  const bool abandoned = abandoned_.erase(answer.id()) > 0;
  const auto found = pending_.find(answer.id());
  if (!abandoned && (found == pending_.end() || !found->second.sent)) {
    return Error(ErrorCode::kProtocolViolation, "ConnectAnswer without a request");
  }
  --unanswered_;
  last_receipt_ = answer.receipt();
  SendHeld();
  if (abandoned) {
    return {};
  }
  loop_.Cancel(found->second.timer);
  const Callback callback = std::move(found->second.callback);
  pending_.erase(found);
  SocketAnswer socket{.address = answer.address(), .untried = answer.untried()};
  if (answer.outcome() == ipc::OUTCOME_OK) {
    socket.error_class = ErrorClass::kOk;
    socket.socket = {.id = answer.id(), .fd = std::move(fd)};
  } else {
    socket.error_class = ClassOfFailure(answer.outcome());
  }
  callback(std::move(socket));
  return {};
}

}  // namespace baokms::openbao
