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
  const bool too_many =
      pending_.size() + abandoned_.size() >= ipc::kMaxUnansweredConnects || !rate_.Take(BootNow());
  const auto timer =
      loop_.After(too_many ? BootTime::zero() : kConnectAnswerTimeout, [this, id] { GiveUp(id); });
  pending_.emplace(id, Pending{std::move(callback), timer, !too_many});
  if (!too_many) {
    ipc::ConnectRequest request;
    request.set_id(id);
    request.set_endpoint(endpoint);
    request.mutable_tried()->Add(tried.begin(), tried.end());
    outgoing_.request(request);
  }
  return id;
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
  if (abandoned_.erase(answer.id()) > 0) {
    return {};
  }
  const auto found = pending_.find(answer.id());
  if (found == pending_.end()) {
    return Error(ErrorCode::kProtocolViolation, "ConnectAnswer without a request");
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
