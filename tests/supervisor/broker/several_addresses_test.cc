// The client and the broker together: a call succeeds whenever one address of one endpoint serves,
// whatever the others do and however lookups change, and it tries each address once. Servers that
// accept requests and then fail cost one repetition, so that only a later call may succeed.

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/openbao/api.h"
#include "common/openbao/broker_connector.h"
#include "supervisor/broker/broker.h"
#include "tests/openbao/hostile_server.h"
#include "tests/openbao/ignored_connect.h"
#include "tests/openbao/test_pki.h"
#include "tests/supervisor/status/fake_observers.h"
#include "tests/supervisor/workers/run_loop.h"

namespace baokms::supervisor {
namespace {

using openbao::CallContext;
using openbao::CallReport;
using openbao::ErrorClass;
using openbao::Greeting;
using openbao::HostileServer;
using openbao::Session;
using std::chrono::milliseconds;
using ::testing::NiceMock;

// In place of a port: an address for which connect(2) fails at once, because TCP has no broadcast.
constexpr std::uint16_t kUnreachable = 0;

// connect(2) of the broker has a length that IgnoreConnect() lets through; libcurl's does nothing.
SocketAddress AddressOf(std::uint16_t port) {
  SocketAddress address;
  auto* in = reinterpret_cast<sockaddr_in*>(&address.storage);
  in->sin_family = AF_INET;
  in->sin_addr.s_addr = htonl(port == kUnreachable ? INADDR_BROADCAST : INADDR_LOOPBACK);
  in->sin_port = htons(port);
  address.size = openbao::kRealConnectLength;
  return address;
}

enum class State : std::uint8_t {
  kServes,
  kResets,    // new connections; existing ones as EndConnections() says
  kIsSilent,  // nothing is answered, on new connections not even the handshake
  kHangs,     // requests are accepted and not answered
  kFails,     // with 503
};

// One address with a server in one of these states.
class Address final {
 public:
  explicit Address(const openbao::ServerIdentity& identity)
      : server_(identity, [this](Session& session) { Serve(session); }) {}

  [[nodiscard]] std::uint16_t port() const { return server_.port(); }

  [[nodiscard]] bool up() const { return state_ == State::kServes; }

  // New connections are refused from now on, or accepted again.
  void SetUp(bool up) { Set(up ? State::kServes : State::kResets); }

  void Set(State state) {
    state_ = state;
    server_.set_greeting(state == State::kResets     ? Greeting::kReset
                         : state == State::kIsSilent ? Greeting::kSilence
                                                     : Greeting::kHandshake);
  }

  // Connections that exist end at their next request.
  void EndConnections() { ++generation_; }

 private:
  void Serve(Session& session) {
    const int generation = generation_;
    while (session.Read()) {
      if (generation != generation_) {
        session.Reset();
        return;
      }
      if (state_ == State::kFails) {
        session.Write(openbao::HttpAnswer("503 Service Unavailable", ""));
      } else if (state_ == State::kServes || state_ == State::kResets) {
        session.Write(openbao::HttpAnswer("200 OK", R"({"data":{"disable_upsert":true}})"));
      }
    }
  }

  std::atomic<State> state_ = State::kServes;
  std::atomic<int> generation_ = 0;
  HostileServer server_;
};

class SeveralAddresses final {
 public:
  SeveralAddresses(const openbao::TestAuthority& authority,
                   std::vector<std::vector<std::uint16_t>> ports)
      : ports_(std::move(ports)) {
    openbao::ClientOptions options;
    std::vector<BrokerEndpoint> endpoints;
    for (std::size_t i = 0; i < ports_.size(); ++i) {
      const std::string host = "node" + std::to_string(i) + ".test";
      options.endpoints.push_back({.host = host, .port = 8200, .path_prefix = ""});
      endpoints.push_back({.host = host, .port = static_cast<std::uint16_t>(i)});
    }
    options.ca_pem = authority.CertificatePem();
    options.server_name = "bao.test";
    options.transit_mount = "transit";
    options.transit_key = "k8s";
    broker_ = std::make_unique<Broker>(
        *loop_,
        [this](const std::string&, std::uint16_t endpoint, BootTime,
               const Resolver::Callback& found) {
          loop_->Post([this, endpoint, found] {
            std::vector<SocketAddress> addresses;
            for (const std::uint16_t port : ports_[endpoint]) {
              addresses.push_back(AddressOf(port));
            }
            found(addresses);
          });
        },
        metrics_, std::move(endpoints), milliseconds(500));
    connector_ = std::make_unique<openbao::BrokerConnector>(
        *loop_, openbao::BrokerConnector::Outgoing{
                    .request = [this](const ipc::ConnectRequest& request) { Ask(request); },
                    .report =
                        [this](const ipc::ConnectReport& report) {
                          broker_->TakeReport("worker_0/1", report);
                        }});
    client_ = openbao::Client::Create(*loop_, *connector_, std::move(options)).value();
  }

  ErrorClass Call(openbao::ConnectionUse use, milliseconds time = std::chrono::seconds(5)) {
    tried_.clear();
    std::optional<ErrorClass> ended;
    CallContext context;
    context.deadline = BootNow() + time;
    context.token = &token_;
    context.connection = use;
    client_->ReadUpsert(context, [&](const CallReport& report, openbao::UpsertValue) {
      ended = report.error_class;
    });
    EXPECT_TRUE(RunUntil(*loop_, [&] { return ended.has_value(); }));
    return ended.value_or(ErrorClass::kUnknown);
  }

  // The endpoint and number of each address that the last call was given, in order.
  [[nodiscard]] const std::vector<std::pair<std::uint32_t, std::uint32_t>>& tried() const {
    return tried_;
  }

  std::vector<std::uint16_t>& ports(std::size_t endpoint) { return ports_[endpoint]; }

  EventLoop& loop() { return *loop_; }

 private:
  void Ask(const ipc::ConnectRequest& request) {
    broker_->Connect("worker_0/1", request, [this, request](BrokerAnswer answer) {
      loop_->Post([this, request, answer = std::make_shared<BrokerAnswer>(std::move(answer))] {
        if (answer->address != 0) {
          tried_.emplace_back(request.endpoint(), answer->address);
        }
        ipc::ConnectAnswer message;
        message.set_id(request.id());
        message.set_outcome(answer->outcome);
        message.set_address(answer->address);
        message.set_untried(answer->untried);
        EXPECT_TRUE(connector_->OnAnswer(message, std::move(answer->socket)).has_value());
      });
    });
  }

  std::string token_text_ = "s.test-token";
  SecretBuffer token_ = SecretBuffer::TakeFrom({reinterpret_cast<std::uint8_t*>(token_text_.data()),
                                                token_text_.size()})
                            .value();
  std::vector<std::vector<std::uint16_t>> ports_;
  std::unique_ptr<EventLoop> loop_ = EventLoop::Create().value();
  NiceMock<MockMetrics> metrics_;
  std::unique_ptr<Broker> broker_;
  std::unique_ptr<openbao::BrokerConnector> connector_;
  std::unique_ptr<openbao::Client> client_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> tried_;
};

class SeveralAddressesTest : public ::testing::Test {
 protected:
  void SetUp() override { openbao::IgnoreConnect(); }

  openbao::TestAuthority authority_{"test authority"};
};

// One random history: which addresses are down, when they change, and what the lookup says.
void RunHistory(const openbao::TestAuthority& authority,
                const openbao::ServerIdentity& identity,
                std::uint32_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto below = [&](std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
  };
  std::vector<std::unique_ptr<Address>> addresses;
  const std::uint16_t dead = HostileServer(identity, [](Session&) {}).port();
  std::vector<std::vector<std::uint16_t>> ports(1 + below(3));
  for (auto& endpoint : ports) {
    for (std::size_t count = 1 + below(4); count > 0; --count) {
      addresses.push_back(std::make_unique<Address>(identity));
      endpoint.push_back(addresses.back()->port());
    }
    for (const std::uint16_t down : {kUnreachable, dead}) {
      if (below(3) == 0) {
        const auto place = static_cast<std::ptrdiff_t>(below(endpoint.size() + 1));
        endpoint.insert(endpoint.begin() + place, down);
      }
    }
  }
  SeveralAddresses rig(authority, ports);
  for (int step = 0; step < 12; ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    Address& lasting = *addresses[below(addresses.size())];
    for (const auto& address : addresses) {
      address->SetUp(address.get() == &lasting || below(2) == 0);
      if (!address->up() || below(4) == 0) {
        address->EndConnections();
      }
    }
    std::ranges::shuffle(rig.ports(below(ports.size())), random);
    Address& changing = *addresses[below(addresses.size())];
    const auto change = rig.loop().After(std::chrono::microseconds(below(3000)), [&] {
      changing.SetUp(&changing == &lasting || !changing.up());
    });
    const auto use = below(2) == 0 ? openbao::ConnectionUse::kAny : openbao::ConnectionUse::kFresh;
    EXPECT_EQ(rig.Call(use), ErrorClass::kOk);
    rig.loop().Cancel(change);
    std::set<std::pair<std::uint32_t, std::uint32_t>> once(rig.tried().begin(), rig.tried().end());
    EXPECT_EQ(once.size(), rig.tried().size()) << "an address was tried twice";
  }
}

TEST_F(SeveralAddressesTest, ACallSucceedsWheneverOneAddressServes) {
  const openbao::ServerIdentity identity = authority_.Issue("DNS:bao.test");
  const auto first = static_cast<std::uint32_t>(BootNow().count());
  std::cout << "seeds from " << first << "\n";
  for (std::uint32_t i = 0; i < 15 && !HasFailure(); ++i) {
    RunHistory(authority_, identity, first + i);
  }
}

// One random history in which servers are reached and then fail, one address excepted. Each call
// without success moves the start of the next one.
void RunHealing(const openbao::TestAuthority& authority,
                const openbao::ServerIdentity& identity,
                std::uint32_t seed) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto below = [&](std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
  };
  std::vector<std::unique_ptr<Address>> addresses;
  std::vector<std::vector<std::uint16_t>> ports(1 + below(3));
  for (auto& endpoint : ports) {
    for (std::size_t count = 1 + below(2); count > 0; --count) {
      addresses.push_back(std::make_unique<Address>(identity));
      endpoint.push_back(addresses.back()->port());
    }
  }
  SeveralAddresses rig(authority, ports);
  for (int step = 0; step < 5; ++step) {
    SCOPED_TRACE("step " + std::to_string(step));
    const std::size_t lasting = below(addresses.size());
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      addresses[i]->Set(i == lasting ? State::kServes : static_cast<State>(below(5)));
    }
    std::size_t calls = 1;
    while (calls <= 6 &&
           rig.Call(openbao::ConnectionUse::kAny, milliseconds(500)) != ErrorClass::kOk) {
      ++calls;
    }
    EXPECT_LE(calls, 6U) << "each endpoint begins as many calls as it has addresses";
  }
}

TEST_F(SeveralAddressesTest, AFewCallsFindTheAddressThatServes) {
  const openbao::ServerIdentity identity = authority_.Issue("DNS:bao.test");
  const auto first = static_cast<std::uint32_t>(BootNow().count());
  std::cout << "seeds from " << first << "\n";
  for (std::uint32_t i = 0; i < 5 && !HasFailure(); ++i) {
    RunHealing(authority_, identity, first + i);
  }
}

TEST_F(SeveralAddressesTest, ACallFailsOnceEachAddressWasTried) {
  const openbao::ServerIdentity identity = authority_.Issue("DNS:bao.test");
  Address reset(identity);
  reset.SetUp(false);
  const std::uint16_t dead = HostileServer(identity, [](Session&) {}).port();
  SeveralAddresses rig(authority_, {{dead, reset.port()}, {kUnreachable, reset.port(), dead}});
  EXPECT_EQ(rig.Call(openbao::ConnectionUse::kAny), ErrorClass::kConnectionFailed);
  EXPECT_EQ(rig.tried().size(), 5U);
}

// Every call begins at the address that served the last one.
TEST_F(SeveralAddressesTest, ASwitchOfTheAddressCostsOneAttempt) {
  const openbao::ServerIdentity identity = authority_.Issue("DNS:bao.test");
  Address first(identity);
  Address second(identity);
  second.SetUp(false);
  SeveralAddresses rig(authority_, {{first.port(), second.port()}});
  for (int turn = 0; turn < 6; ++turn) {
    EXPECT_EQ(rig.Call(openbao::ConnectionUse::kFresh), ErrorClass::kOk);
    EXPECT_EQ(rig.tried().size(), turn == 0 ? 1U : 2U) << turn;
    EXPECT_EQ(rig.Call(openbao::ConnectionUse::kFresh), ErrorClass::kOk);
    EXPECT_EQ(rig.tried().size(), 1U) << turn;
    first.SetUp(!first.up());
    second.SetUp(!second.up());
  }
}

}  // namespace
}  // namespace baokms::supervisor
