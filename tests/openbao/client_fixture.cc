#include "tests/openbao/client_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <gtest/gtest.h>

#include "tests/openbao/ignored_connect.h"

namespace baokms::openbao {

UniqueFd ConnectTo(std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_storage storage{};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  std::memcpy(&storage, &address, sizeof address);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), kRealConnectLength) != 0 &&
      errno != EINPROGRESS) {
    fd.reset();
  }
  return fd;
}

LoopbackConnector::LoopbackConnector(EventLoop& loop, std::vector<std::vector<std::uint16_t>> ports)
    : loop_(loop), ports_(std::move(ports)), last_good_(ports_.size()) {
}

Connector::RequestId LoopbackConnector::RequestSocket(std::uint32_t endpoint,
                                                      const std::vector<std::uint32_t>& tried,
                                                      Callback callback) {
  const RequestId id = ++last_id_;
  const std::size_t count = ports_[endpoint].size();
  const std::size_t first = tried.empty() ? last_good_[endpoint] : tried.back();
  Asked request{.endpoint = endpoint, .address = count, .untried = 0};
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t candidate = (first + i) % count;
    if (std::ranges::find(tried, candidate + 1) != tried.end()) {
      continue;
    }
    if (request.address == count) {
      request.address = candidate;
    } else {
      ++request.untried;
    }
  }
  requests_[id] = request;
  if (request.address < count) {
    asked.push_back(ports_[endpoint][request.address]);
  }
  pending_[id] =
      !answers ? 0 : loop_.After(BootTime::zero(), [this, id, callback = std::move(callback)] {
        pending_.erase(id);
        callback(Connect(id));
      });
  return id;
}

SocketAnswer LoopbackConnector::Connect(std::uint64_t id) {
  const Asked request = requests_.at(id);
  if (refusal.has_value()) {
    return {.error_class = *refusal};
  }
  if (budget == 0) {
    return {.error_class = ErrorClass::kLoginBudgetUsedUp};
  }
  --budget;
  if (request.address == ports_[request.endpoint].size()) {
    return {};
  }
  SocketAnswer answer{.address = static_cast<std::uint32_t>(request.address) + 1,
                      .untried = request.untried};
  UniqueFd fd = ConnectTo(ports_[request.endpoint][request.address]);
  if (fd.valid()) {
    answer.error_class = ErrorClass::kOk;
    answer.socket = {.id = id, .fd = std::move(fd)};
  }
  return answer;
}

void LoopbackConnector::CancelRequest(RequestId request) {
  const auto found = pending_.find(request);
  if (found != pending_.end()) {
    loop_.Cancel(found->second);
    pending_.erase(found);
  }
}

void LoopbackConnector::Report(std::uint64_t socket_id, SocketState state) {
  const Asked& request = requests_.at(socket_id);
  std::size_t& last_good = last_good_[request.endpoint];
  reports.push_back({ports_[request.endpoint][request.address], state});
  if (state == SocketState::kUsable) {
    last_good = request.address;
  } else if (last_good == request.address) {
    last_good = (last_good + 1) % ports_[request.endpoint].size();
  }
}

ClientRig::ClientRig(const TestAuthority& authority, std::vector<std::uint16_t> ports)
    : ClientRig(authority.CertificatePem(), {std::move(ports)}) {
}

ClientRig::ClientRig(const std::string& ca_pem,
                     std::vector<std::vector<std::uint16_t>> ports,
                     const std::function<void(ClientOptions&)>& adjust) {
  IgnoreConnect();
  loop_ = EventLoop::Create().value();
  ClientOptions options;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    options.endpoints.push_back(
        {.host = "node" + std::to_string(i) + ".test", .port = 8200, .path_prefix = ""});
  }
  connector_ = std::make_unique<LoopbackConnector>(*loop_, std::move(ports));
  options.ca_pem = ca_pem;
  options.server_name = kServerName;
  options.transit_mount = "transit";
  options.transit_key = "k8s";
  if (adjust) {
    adjust(options);
  }
  std::string token = "s.test-token";
  token_ =
      SecretBuffer::TakeFrom({reinterpret_cast<std::uint8_t*>(token.data()), token.size()}).value();
  client_ = Client::Create(*loop_, *connector_, std::move(options)).value();
}

void ClientRig::RunUntil(const std::function<bool()>& done) {
  const BootTime limit = BootNow() + std::chrono::seconds(20);
  while (!done()) {
    ASSERT_LT(BootNow(), limit) << "nothing came of it";
    const auto timer = loop_->After(std::chrono::milliseconds(1), [this] { loop_->Stop(); });
    ASSERT_TRUE(loop_->Run().has_value());
    loop_->Cancel(timer);
  }
}

void ClientRig::RunFor(std::chrono::milliseconds time) {
  loop_->After(time, [this] { loop_->Stop(); });
  ASSERT_TRUE(loop_->Run().has_value());
}

Ended<UpsertValue> ClientRig::ReadUpsert() {
  return ReadUpsert(Context());
}

Ended<UpsertValue> ClientRig::ReadUpsert(const CallContext& context) {
  return Await<UpsertValue>(
      [&](Done<UpsertValue> done) { return client_->ReadUpsert(context, std::move(done)); });
}

CallContext ClientRig::Context() const {
  return Context(std::chrono::seconds(5));
}

CallContext ClientRig::Context(std::chrono::milliseconds time) const {
  return {.deadline = BootNow() + time, .token = &token_, .connection = ConnectionUse::kAny};
}

}  // namespace baokms::openbao
