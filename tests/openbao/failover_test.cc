// What a call does when the first address does not help: other addresses, and one repetition.

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/openbao/client_fixture.h"
#include "tests/openbao/hostile_server.h"

namespace baokms::openbao {
namespace {

using SocketState = Connector::SocketState;
using Classified = LoopbackConnector::Classified;

constexpr char kSealedBody[] = R"({"errors":["OpenBao is sealed"]})";

class FailoverTest : public ::testing::Test {
 protected:
  ServerIdentity Identity() const { return authority_.Issue("DNS:" + std::string(kServerName)); }

  // The first answer of each server is `first`, all others are good.
  Script FirstThenGood(std::string first) {
    return [this, first = std::move(first)](Session& session) {
      while (session.Read()) {
        session.Write(requests_++ == 0 ? first : good_);
      }
    };
  }

  // A server that answers until `hangs_` is true, and then keeps every connection open.
  Script GoodUntilItHangs() {
    return [this](Session& session) {
      while (session.Read()) {
        if (!hangs_) {
          session.Write(good_);
        }
      }
    };
  }

  TestAuthority authority_{"test authority"};
  std::atomic<int> requests_ = 0;
  std::atomic<bool> hangs_ = false;
  const std::string good_ = HttpAnswer("200 OK", kUpsertAnswer);
  const std::string sealed_ = HttpAnswer("503 Service Unavailable", kSealedBody);
};

std::vector<ErrorClass> ClassesOf(const CallReport& report) {
  std::vector<ErrorClass> classes;
  for (const CallRecord& record : report.calls) {
    classes.push_back(record.error_class);
  }
  return classes;
}

// Two servers as the addresses of one endpoint, or as two endpoints.
std::vector<std::vector<std::uint16_t>> Both(std::uint16_t first,
                                             std::uint16_t second,
                                             bool are_endpoints) {
  if (are_endpoints) {
    return {{first}, {second}};
  }
  return {{first, second}};
}

// Makes `count` calls at the same time, each of which leaves an idle connection.
void LeaveIdleConnections(ClientRig& rig, int count) {
  int ended = 0;
  for (int i = 0; i < count; ++i) {
    rig.client().ReadUpsert(rig.Context(), [&](const CallReport& report, UpsertValue) {
      EXPECT_EQ(report.error_class, ErrorClass::kOk);
      ++ended;
    });
  }
  rig.RunUntil([&] { return ended == count; });
}

// A port on which nobody listens.
std::uint16_t DeadPort(const ServerIdentity& identity) {
  return HostileServer(identity, [](Session&) {}).port();
}

TEST_F(FailoverTest, ASealedServerIsFollowedByTheNextEndpointWhichThenComesFirst) {
  HostileServer first(Identity(), AlwaysAnswer(sealed_));
  HostileServer second(Identity(), AlwaysAnswer(good_));
  ClientRig rig(authority_.CertificatePem(), {{first.port()}, {second.port()}});
  const Ended<UpsertValue> ended = rig.ReadUpsert();
  EXPECT_EQ(ended.report.error_class, ErrorClass::kOk);
  EXPECT_EQ(ClassesOf(ended.report), (std::vector{ErrorClass::kSealed, ErrorClass::kOk}));
  EXPECT_EQ(rig.connector().reports,
            (std::vector<Classified>{{first.port(), SocketState::kUsable},
                                     {first.port(), SocketState::kUnusable},
                                     {second.port(), SocketState::kUsable}}));
  EXPECT_EQ(rig.ReadUpsert().report.calls.size(), 1U);
  EXPECT_EQ(first.accepted(), 1);
  EXPECT_EQ(second.accepted(), 1);
}

TEST_F(FailoverTest, ASealedServerIsFollowedByTheNextAddress) {
  HostileServer first(Identity(), AlwaysAnswer(sealed_));
  HostileServer second(Identity(), AlwaysAnswer(good_));
  ClientRig rig(authority_, {first.port(), second.port()});
  const Ended<UpsertValue> ended = rig.ReadUpsert();
  EXPECT_EQ(ended.report.error_class, ErrorClass::kOk);
  EXPECT_EQ(ClassesOf(ended.report), (std::vector{ErrorClass::kSealed, ErrorClass::kOk}));
}

TEST_F(FailoverTest, ASealedAddressBehindAnIdleConnectionIsNotAskedTwice) {
  std::atomic<bool> sealed = false;
  std::atomic<int> sealed_requests = 0;
  HostileServer first(Identity(), [&](Session& session) {
    while (session.Read()) {
      sealed_requests += sealed ? 1 : 0;
      session.Write(sealed ? sealed_ : good_);
    }
  });
  HostileServer second(Identity(), AlwaysAnswer(good_));
  ClientRig rig(authority_, {first.port(), second.port()});
  EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kOk);
  sealed = true;
  EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kOk);
  EXPECT_EQ(sealed_requests, 1);
}

TEST_F(FailoverTest, ALoneSealedServerIsAskedOnce) {
  HostileServer server(Identity(), AlwaysAnswer(sealed_));
  ClientRig rig(authority_, {server.port()});
  const Ended<UpsertValue> ended = rig.ReadUpsert();
  EXPECT_EQ(ended.report.error_class, ErrorClass::kSealed);
  EXPECT_EQ(ClassesOf(ended.report), std::vector{ErrorClass::kSealed});
}

TEST_F(FailoverTest, TwoNamesOfOneSealedServerAreOneAddress) {
  HostileServer server(Identity(), FirstThenGood(sealed_));
  ClientRig rig(authority_.CertificatePem(), {{server.port()}, {server.port()}});
  const Ended<UpsertValue> ended = rig.ReadUpsert();
  EXPECT_EQ(ended.report.error_class, ErrorClass::kSealed);
  EXPECT_EQ(requests_, 1);
}

TEST_F(FailoverTest, AllSealedIsSealed) {
  HostileServer first(Identity(), AlwaysAnswer(sealed_));
  HostileServer second(Identity(), AlwaysAnswer(sealed_));
  HostileServer third(Identity(), AlwaysAnswer(sealed_));
  ClientRig rig(authority_.CertificatePem(), {{first.port(), second.port()}, {third.port()}});
  const Ended<UpsertValue> ended = rig.ReadUpsert();
  EXPECT_EQ(ended.report.error_class, ErrorClass::kSealed);
  EXPECT_EQ(ended.report.calls.size(), 3U);
}

TEST_F(FailoverTest, ARedirectIsFollowedByTheNextEndpointAndNotByItsTarget) {
  HostileServer standby(Identity(), AlwaysAnswer(HttpAnswer("307 Temporary Redirect", "",
                                                            "Location: https://elsewhere.test/")));
  HostileServer active(Identity(), AlwaysAnswer(good_));
  ClientRig rig(authority_.CertificatePem(), {{standby.port()}, {active.port()}});
  const Ended<UpsertValue> ended = rig.ReadUpsert();
  EXPECT_EQ(ended.report.error_class, ErrorClass::kOk);
  EXPECT_EQ(ClassesOf(ended.report), (std::vector{ErrorClass::kUnavailable, ErrorClass::kOk}));
}

TEST_F(FailoverTest, ARefusedConnectionIsFollowedByTheNextAddress) {
  HostileServer server(Identity(), AlwaysAnswer(good_));
  ClientRig rig(authority_, {DeadPort(Identity()), server.port()});
  const Ended<UpsertValue> ended = rig.ReadUpsert();
  EXPECT_EQ(ended.report.error_class, ErrorClass::kOk);
  EXPECT_EQ(ended.report.calls.back().error_class, ErrorClass::kOk);
}

TEST_F(FailoverTest, NobodyThereIsConnectionFailed) {
  ClientRig rig(authority_.CertificatePem(),
                {{DeadPort(Identity()), DeadPort(Identity())}, {DeadPort(Identity())}});
  const Ended<UpsertValue> ended = rig.ReadUpsert();
  EXPECT_EQ(ended.report.error_class, ErrorClass::kConnectionFailed);
  EXPECT_EQ(ClassesOf(ended.report).back(), ErrorClass::kConnectionFailed);
}

TEST_F(FailoverTest, ARefusalOfTheConnectorKeepsItsClass) {
  ClientRig rig(authority_, {1});
  rig.connector().refusal = ErrorClass::kDnsFailed;
  EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kDnsFailed);
}

// The first address of a name may be refused inside connect(2): nobody has said yet how many
// addresses there are.
TEST_F(FailoverTest, TwoOfThreeAddressesMayBeDown) {
  for (const std::size_t up : {0U, 1U, 2U}) {
    HostileServer server(Identity(), AlwaysAnswer(good_));
    std::vector<std::uint16_t> ports;
    for (std::size_t i = 0; i < 3; ++i) {
      ports.push_back(i == up ? server.port() : DeadPort(Identity()));
    }
    ClientRig rig(authority_, ports);
    EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kOk) << up;
    EXPECT_EQ(rig.connector().asked.size(), up + 1) << "each address once, in order";
  }
}

TEST_F(FailoverTest, AFailureMovesTheStartOfOtherCallsAndNotThisOne) {
  HostileServer broken(Identity(), [](Session&) {});
  broken.set_greeting(Greeting::kReset);
  HostileServer server(Identity(), AlwaysAnswer(good_));
  ClientRig rig(authority_, {broken.port(), DeadPort(Identity()), server.port()});
  EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kOk);
  EXPECT_EQ(rig.connector().asked.size(), 3U);
  EXPECT_EQ(rig.connector().asked.back(), server.port());
}

TEST_F(FailoverTest, SilentAddressesShareTheTimeOfTheCall) {
  std::vector<std::unique_ptr<HostileServer>> silent;
  std::vector<std::uint16_t> ports;
  for (int i = 0; i < 5; ++i) {
    silent.push_back(std::make_unique<HostileServer>(Identity(), [](Session&) {}));
    silent.back()->set_greeting(Greeting::kSilence);
    ports.push_back(silent.back()->port());
  }
  HostileServer server(Identity(), AlwaysAnswer(good_));
  ports.push_back(server.port());
  ClientRig rig(authority_, ports);
  const Ended<UpsertValue> ended = rig.ReadUpsert(rig.Context(std::chrono::milliseconds(2500)));
  EXPECT_EQ(ended.report.error_class, ErrorClass::kOk);
  EXPECT_EQ(rig.connector().asked, ports);
}

TEST_F(FailoverTest, AResetAfterTheHandshakeIsRepeatedAtAnotherAddress) {
  HostileServer broken(Identity(), [](Session& session) {
    (void)session.Read();
    session.Reset();
  });
  HostileServer server(Identity(), AlwaysAnswer(good_));
  ClientRig rig(authority_, {broken.port(), server.port()});
  EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kOk);
  EXPECT_EQ(broken.accepted(), 1);
}

TEST_F(FailoverTest, AnUntrustedServerIsFollowedByTheNextAddress) {
  const TestAuthority other("other authority");
  HostileServer impostor(other.Issue("DNS:bao.test"), AlwaysAnswer(good_));
  HostileServer server(Identity(), AlwaysAnswer(good_));
  ClientRig rig(authority_, {impostor.port(), server.port()});
  const Ended<UpsertValue> ended = rig.ReadUpsert();
  EXPECT_EQ(ClassesOf(ended.report), (std::vector{ErrorClass::kTlsFailed, ErrorClass::kOk}));
  EXPECT_EQ(rig.connector().reports,
            (std::vector<Classified>{{impostor.port(), SocketState::kUnusable},
                                     {server.port(), SocketState::kUsable}}));
}

TEST_F(FailoverTest, AResetInsteadOfAHandshakeIsFollowedByTheNextAddress) {
  HostileServer broken(Identity(), [](Session&) {});
  broken.set_greeting(Greeting::kReset);
  HostileServer server(Identity(), AlwaysAnswer(good_));
  ClientRig rig(authority_, {broken.port(), server.port()});
  EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kOk);
}

TEST_F(FailoverTest, ASilentServerCostsAThirdOfTheTimeAndNoMore) {
  HostileServer silent(Identity(), [](Session&) {});
  silent.set_greeting(Greeting::kSilence);
  HostileServer server(Identity(), AlwaysAnswer(good_));
  ClientRig rig(authority_, {silent.port(), server.port()});
  const Ended<UpsertValue> ended = rig.ReadUpsert(rig.Context(std::chrono::milliseconds(900)));
  EXPECT_EQ(ended.report.error_class, ErrorClass::kOk);
  EXPECT_EQ(ClassesOf(ended.report), (std::vector{ErrorClass::kConnectionFailed, ErrorClass::kOk}));
  EXPECT_EQ(rig.connector().reports.front(), (Classified{silent.port(), SocketState::kUnusable}));
}

TEST_F(FailoverTest, ALoneSilentServerIsAskedAgainUntilTheDeadline) {
  HostileServer silent(Identity(), [](Session&) {});
  silent.set_greeting(Greeting::kSilence);
  ClientRig rig(authority_, {silent.port()});
  const Ended<UpsertValue> ended = rig.ReadUpsert(rig.Context(std::chrono::milliseconds(300)));
  EXPECT_EQ(ended.report.error_class, ErrorClass::kTimeout);
  EXPECT_GE(rig.connector().asked.size(), 2U);
}

TEST_F(FailoverTest, IdleConnectionsIntoABlackHoleCostOneCallHalfItsTime) {
  for (const bool are_endpoints : {false, true}) {
    hangs_ = false;
    HostileServer first(Identity(), GoodUntilItHangs());
    HostileServer second(Identity(), AlwaysAnswer(good_));
    ClientRig rig(authority_.CertificatePem(), Both(first.port(), second.port(), are_endpoints));
    LeaveIdleConnections(rig, 8);
    hangs_ = true;
    EXPECT_EQ(ClassesOf(rig.ReadUpsert(rig.Context(std::chrono::milliseconds(1500))).report),
              (std::vector{ErrorClass::kTimeout, ErrorClass::kOk}));
    for (int i = 0; i < 10; ++i) {
      EXPECT_EQ(ClassesOf(rig.ReadUpsert().report), std::vector{ErrorClass::kOk}) << i;
    }
  }
}

TEST_F(FailoverTest, AfterATimeoutTheIdleConnectionsToALoneAddressAreNotUsed) {
  HostileServer server(Identity(), [&](Session& session) {
    while (session.Read()) {
      if (!hangs_ || session.number() >= 8) {
        session.Write(good_);
      }
    }
  });
  ClientRig rig(authority_, {server.port()});
  LeaveIdleConnections(rig, 8);
  hangs_ = true;
  EXPECT_EQ(ClassesOf(rig.ReadUpsert(rig.Context(std::chrono::milliseconds(300))).report),
            std::vector{ErrorClass::kTimeout});
  EXPECT_EQ(ClassesOf(rig.ReadUpsert().report), std::vector{ErrorClass::kOk});
}

TEST_F(FailoverTest, AServerThatStopsInsideTheAnswerIsFollowedByTheNextAddress) {
  HostileServer stuck(Identity(), [](Session& session) {
    while (session.Read()) {
      session.Write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
    }
  });
  HostileServer server(Identity(), AlwaysAnswer(good_));
  ClientRig rig(authority_, {stuck.port(), server.port()});
  EXPECT_EQ(ClassesOf(rig.ReadUpsert(rig.Context(std::chrono::milliseconds(1500))).report),
            (std::vector{ErrorClass::kTimeout, ErrorClass::kOk}));
  EXPECT_EQ(ClassesOf(rig.ReadUpsert().report), std::vector{ErrorClass::kOk});
}

// A server that is slow and healthy must not be asked twice.
TEST_F(FailoverTest, ALoneSlowServerHasAllTheTime) {
  HostileServer slow(Identity(), [&](Session& session) {
    while (session.Read()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(600));
      session.Write(good_);
    }
  });
  ClientRig rig(authority_, {slow.port()});
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(ClassesOf(rig.ReadUpsert(rig.Context(std::chrono::milliseconds(900))).report),
              std::vector{ErrorClass::kOk});
  }
}

TEST_F(FailoverTest, ALoginThatHangsIsNotRepeatedAndTheNextOneStartsElsewhere) {
  HostileServer stuck(Identity(), [](Session& session) {
    while (session.Read()) {
    }
  });
  HostileServer server(Identity(), AlwaysAnswer(good_));
  for (const bool are_endpoints : {false, true}) {
    ClientRig rig(authority_.CertificatePem(), Both(stuck.port(), server.port(), are_endpoints));
    CallContext login = rig.Context(std::chrono::milliseconds(300));
    login.token = nullptr;
    EXPECT_EQ(ClassesOf(rig.ReadUpsert(login).report), std::vector{ErrorClass::kTimeout});
    EXPECT_EQ(ClassesOf(rig.ReadUpsert().report), std::vector{ErrorClass::kOk});
  }
}

TEST_F(FailoverTest, TheLastOfManyEndpointsIsReachedWhenTheOthersAreSilent) {
  HostileServer silent(Identity(), [](Session&) {});
  silent.set_greeting(Greeting::kSilence);
  HostileServer server(Identity(), AlwaysAnswer(good_));
  std::vector<std::vector<std::uint16_t>> ports(7, {silent.port()});
  ports.push_back({server.port()});
  ClientRig rig(authority_.CertificatePem(), ports);
  EXPECT_EQ(rig.ReadUpsert(rig.Context(std::chrono::milliseconds(2000))).report.error_class,
            ErrorClass::kOk);
}

TEST_F(FailoverTest, AConnectorThatNeverAnswersEndsInATimeout) {
  ClientRig rig(authority_, {1});
  rig.connector().answers = false;
  EXPECT_EQ(rig.ReadUpsert(rig.Context(std::chrono::milliseconds(100))).report.error_class,
            ErrorClass::kTimeout);
}

TEST_F(FailoverTest, RepeatsOnceAfterABadGatewayOrUnavailable) {
  for (const char* status : {"502 Bad Gateway", "503 Service Unavailable"}) {
    requests_ = 0;
    HostileServer server(Identity(), FirstThenGood(HttpAnswer(status, "")));
    ClientRig rig(authority_, {server.port()});
    const Ended<UpsertValue> ended = rig.ReadUpsert();
    EXPECT_EQ(ClassesOf(ended.report), (std::vector{ErrorClass::kUnavailable, ErrorClass::kOk}));
  }
}

TEST_F(FailoverTest, ABadGatewayIsFollowedByTheNextAddressWhichThenComesFirst) {
  for (const char* status : {"502 Bad Gateway", "503 Service Unavailable"}) {
    for (const bool are_endpoints : {false, true}) {
      SCOPED_TRACE(std::string(status) + (are_endpoints ? " endpoint" : " address"));
      HostileServer broken(Identity(), AlwaysAnswer(HttpAnswer(status, "")));
      HostileServer server(Identity(), AlwaysAnswer(good_));
      ClientRig rig(authority_.CertificatePem(), Both(broken.port(), server.port(), are_endpoints));
      EXPECT_EQ(ClassesOf(rig.ReadUpsert().report),
                (std::vector{ErrorClass::kUnavailable, ErrorClass::kOk}));
      EXPECT_EQ(ClassesOf(rig.ReadUpsert().report), std::vector{ErrorClass::kOk});
    }
  }
}

TEST_F(FailoverTest, ABadGatewayIsAskedAgainWhenNoOtherAddressCanBeReached) {
  HostileServer server(Identity(), FirstThenGood(HttpAnswer("502 Bad Gateway", "")));
  ClientRig rig(authority_.CertificatePem(), {{server.port()}, {DeadPort(Identity())}});
  EXPECT_EQ(
      ClassesOf(rig.ReadUpsert().report),
      (std::vector{ErrorClass::kUnavailable, ErrorClass::kConnectionFailed, ErrorClass::kOk}));
}

TEST_F(FailoverTest, AfterAnErrorThatIsNotRepeatedTheNextCallStartsElsewhere) {
  HostileServer broken(Identity(), AlwaysAnswer(HttpAnswer("500 Internal Server Error", "")));
  HostileServer server(Identity(), AlwaysAnswer(good_));
  for (const bool are_endpoints : {false, true}) {
    ClientRig rig(authority_.CertificatePem(), Both(broken.port(), server.port(), are_endpoints));
    EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kUnavailable);
    EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kOk);
  }
}

TEST_F(FailoverTest, RepeatsNoMoreThanOnce) {
  HostileServer server(Identity(), AlwaysAnswer(HttpAnswer("503 Service Unavailable", "")));
  ClientRig rig(authority_, {server.port()});
  const Ended<UpsertValue> ended = rig.ReadUpsert();
  EXPECT_EQ(ended.report.error_class, ErrorClass::kUnavailable);
  EXPECT_EQ(ended.report.calls.size(), 2U);
}

TEST_F(FailoverTest, RepeatsNothingElse) {
  for (const char* status : {"400 a", "401 a", "403 a", "404 a", "429 a", "500 a", "504 a"}) {
    requests_ = 0;
    HostileServer server(Identity(), FirstThenGood(HttpAnswer(status, "")));
    ClientRig rig(authority_, {server.port()});
    EXPECT_NE(rig.ReadUpsert().report.error_class, ErrorClass::kOk) << status;
    EXPECT_EQ(requests_, 1) << status;
  }
}

TEST_F(FailoverTest, RepeatsOnceAfterAResetBeforeAnAnswer) {
  HostileServer server(Identity(), [&](Session& session) {
    while (session.Read()) {
      if (requests_++ == 0) {
        session.Reset();
        return;
      }
      session.Write(good_);
    }
  });
  ClientRig rig(authority_, {server.port()});
  const Ended<UpsertValue> ended = rig.ReadUpsert();
  EXPECT_EQ(ClassesOf(ended.report), (std::vector{ErrorClass::kConnectionFailed, ErrorClass::kOk}));
}

TEST_F(FailoverTest, DoesNotRepeatAfterAPartOfAnAnswer) {
  HostileServer server(Identity(), [&](Session& session) {
    while (session.Read()) {
      if (requests_++ == 0) {
        session.Write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
        return;
      }
      session.Write(good_);
    }
  });
  ClientRig rig(authority_, {server.port()});
  EXPECT_EQ(rig.ReadUpsert().report.error_class, ErrorClass::kUnavailable);
  EXPECT_EQ(requests_, 1);
}

TEST_F(FailoverTest, WaitsAsLongAsRetryAfterSaysWhenThatFits) {
  struct Row {
    const char* header;
    std::size_t calls;
  };

  constexpr std::array<Row, 9> kRows{{{"Retry-After: 0", 2},
                                      {"retry-after:1 ", 2},
                                      {"Retry-After: 4", 1},  // the call has 3 s
                                      {"Retry-After: 4294967295", 1},
                                      {"Retry-After: 99999999999999999999", 1},
                                      {"Retry-After: -1", 1},
                                      {"Retry-After: Fri, 31 Dec 1999 23:59:59 GMT", 1},
                                      {"Retry-After:", 1},
                                      {"X: 0", 1}}};
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.header);
    requests_ = 0;
    HostileServer server(Identity(),
                         FirstThenGood(HttpAnswer("429 Too Many Requests", "", row.header)));
    ClientRig rig(authority_, {server.port()});
    const BootTime begin = BootNow();
    const Ended<UpsertValue> ended = rig.ReadUpsert(rig.Context(std::chrono::seconds(3)));
    EXPECT_EQ(ended.report.calls.size(), row.calls);
    EXPECT_EQ(ended.report.error_class,
              row.calls == 2 ? ErrorClass::kOk : ErrorClass::kRateLimited);
    if (std::string_view(row.header) == "retry-after:1 ") {
      EXPECT_GE(BootNow() - begin, std::chrono::seconds(1));
    }
  }
}

}  // namespace
}  // namespace baokms::openbao
