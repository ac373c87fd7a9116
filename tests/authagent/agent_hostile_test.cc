// A supervisor and workers that break the protocol in each way. The agent must end on a violation
// of the supervisor, stop listening to a worker that commits one, and go on serving the others.

#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "authagent/agent.h"
#include "common/base/clock.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/child_descriptors.h"
#include "ipc/child_session.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"
#include "tests/authagent/agent_fixture.h"
#include "tests/authagent/jwt_text.h"

namespace baokms::authagent {
namespace {

TEST_F(AgentHostileTest, EndsWhenTheSupervisorIsGone) {
  Start();
  Greet();
  supervisor_->Close();
  EXPECT_EQ(End(), ipc::ExitCode::kSupervisorGone);
}

TEST_F(AgentHostileTest, EndsWhenTheSupervisorIsGoneBeforeItsFirstWord) {
  Start();
  supervisor_->Close();
  EXPECT_EQ(End(), ipc::ExitCode::kSupervisorGone);
}

TEST_F(AgentHostileTest, ReportsItsCredentialOnceItServes) {
  PutJwt("not a jwt at all");
  Start();
  ASSERT_EQ(supervisor_->Receive()->type, MessageType::kHello);
  supervisor_->Send(MessageType::kHelloAnswer, GoodAnswer());
  const std::optional<Received> status = supervisor_->ReceiveOf(MessageType::kAgentStatus);
  ASSERT_TRUE(status.has_value());
  ipc::AgentStatus message;
  ASSERT_TRUE(message.ParseFromString(status->body));
  EXPECT_EQ(message.status(), "jwt_invalid");
  EXPECT_EQ(message.last_outcome(), ipc::OUTCOME_AUTH_FAILED);
  EXPECT_FALSE(message.was_login());
}

TEST_F(AgentHostileTest, NoticesAReplacedCredentialByItself) {
  Start();
  Greet();
  PutJwt("not.a.jwt");
  const std::optional<Received> status = supervisor_->ReceiveOf(MessageType::kAgentStatus);
  ASSERT_TRUE(status.has_value());
  ipc::AgentStatus message;
  ASSERT_TRUE(message.ParseFromString(status->body));
  EXPECT_EQ(message.status(), "jwt_invalid");
}

TEST_F(AgentHostileTest, ServesBothWorkers) {
  Start();
  Greet();
  ExpectServed(0);
  ExpectServed(1);
}

TEST_F(AgentHostileTest, AnswersNoWorkerBeforeTheSupervisorGreeted) {
  Start();
  PutJwt("broken");
  workers_[0].Send(MessageType::kLoginRequest, Request());
  EXPECT_FALSE(workers_[0].Receive(300).has_value());
  Greet();
  EXPECT_TRUE(workers_[0].Receive().has_value());
}

TEST_F(AgentHostileTest, EndsOnEveryViolationByTheSupervisor) {
  struct Row {
    const char* name;
    std::function<void(FakePeer&)> violation;
  };

  const std::vector<Row> rows = {
      {"second HelloAnswer",
       [](FakePeer& peer) {
         peer.Send(MessageType::kHelloAnswer, GoodAnswer());
       }},
      {"unknown type",
       [](FakePeer& peer) {
         peer.SendRaw(std::string("\x77\x77", 2));
       }},
      {"no type",
       [](FakePeer& peer) {
         peer.SendRaw("x");
       }},
      {"message of another channel",
       [](FakePeer& peer) {
         peer.Send(MessageType::kLoginRequest, Request());
       }},
      {"key table",
       [](FakePeer& peer) {
         peer.Send(MessageType::kKeyTable, ipc::KeyTable());
       }},
      {"too large",
       [](FakePeer& peer) {
         peer.SendRaw(Header(MessageType::kConnectAnswer) + std::string(600, 'x'));
       }},
      {"not protobuf",
       [](FakePeer& peer) {
         peer.SendRaw(Header(MessageType::kConnectAnswer) + "\xff\xff");
       }},
      {"unknown field",
       [](FakePeer& peer) {
         peer.SendRaw(Header(MessageType::kConnectAnswer) + std::string("\x78\x01", 2));
       }},
      {"answer that nobody asked for",
       [](FakePeer& peer) {
         ipc::ConnectAnswer answer;
         answer.set_id(99);
         answer.set_outcome(ipc::OUTCOME_CONNECTION_FAILED);
         peer.Send(MessageType::kConnectAnswer, answer);
       }},
      {"success without a socket",
       [](FakePeer& peer) {
         ipc::ConnectAnswer answer;
         answer.set_id(1);
         answer.set_outcome(ipc::OUTCOME_OK);
         peer.Send(MessageType::kConnectAnswer, answer);
       }},
      {"word on a PIN that nobody asked for",
       [](FakePeer& peer) {
         ipc::PinAttemptAnswer answer;
         answer.set_verdict(ipc::PinAttemptAnswer::VERDICT_ALLOWED);
         peer.Send(MessageType::kPinAttemptAnswer, answer);
       }},
      {"a file in place of a socket",
       [](FakePeer& peer) {
         const UniqueFd file = Open("/dev/null");
         ipc::ConnectAnswer answer;
         answer.set_id(1);
         answer.set_outcome(ipc::OUTCOME_OK);
         peer.Send(MessageType::kConnectAnswer, answer, file.get());
       }},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Start();
    Greet();
    row.violation(*supervisor_);
    EXPECT_EQ(End(), ipc::ExitCode::kPeerViolation);
    workers_.clear();
  }
}

TEST_F(AgentHostileTest, EndsOnAWrongGreeting) {
  std::vector<std::pair<const char*, ipc::HelloAnswer>> rows(3, {"", GoodAnswer()});
  rows[0].first = "other version";
  rows[0].second.set_protocol_version(ipc::kProtocolVersion + 1);
  rows[1].first = "other role";
  rows[1].second.set_role(ipc::ROLE_WORKER);
  rows[2].first = "nothing in it";
  rows[2].second.Clear();
  for (const auto& [name, answer] : rows) {
    SCOPED_TRACE(name);
    Start();
    supervisor_->Send(MessageType::kHelloAnswer, answer);
    EXPECT_EQ(End(), ipc::ExitCode::kPeerViolation);
    workers_.clear();
  }
}

TEST_F(AgentHostileTest, EndsOnAMessageBeforeTheGreeting) {
  Start();
  ipc::ConnectAnswer answer;
  answer.set_id(1);
  answer.set_outcome(ipc::OUTCOME_CONNECTION_FAILED);
  supervisor_->Send(MessageType::kConnectAnswer, answer);
  EXPECT_EQ(End(), ipc::ExitCode::kPeerViolation);
}

TEST_F(AgentHostileTest, MutesAWorkerOnEveryViolationAndServesTheOther) {
  using Violation = std::function<void(FakePeer&)>;
  const std::vector<std::pair<const char*, Violation>> rows = {
      {"unknown type",
       [](FakePeer& peer) {
         peer.SendRaw(std::string("\x77\x77", 2));
       }},
      {"a token of its own",
       [](FakePeer& peer) {
         peer.SendRaw(Header(MessageType::kToken) + std::string(64, 'x'));
       }},
      {"longer than any message here",
       [](FakePeer& peer) {
         peer.SendRaw(Header(MessageType::kLoginRequest) + std::string(8192, 'x'));
       }},
      {"trailing bytes",
       [](FakePeer& peer) {
         peer.SendRaw(Header(MessageType::kLoginRequest) + Request().SerializeAsString() +
                      std::string("\x78\x01", 2));
       }},
      {"short id",
       [](FakePeer& peer) {
         ipc::LoginRequest request = Request();
         request.set_request_id("short");
         peer.Send(MessageType::kLoginRequest, request);
       }},
      {"descriptor",
       [](FakePeer& peer) {
         const UniqueFd file = Open("/dev/null");
         peer.Send(MessageType::kLoginRequest, Request(), file.get());
       }},
  };
  Start();
  Greet();
  for (const auto& [name, violation] : rows) {
    SCOPED_TRACE(name);
    violation(workers_[0]);
    ExpectRecord("auth.worker_muted");
    ExpectServed(1);
    // The slot is opened again after a while; what is asked then is answered.
    ExpectServed(0);
  }
}

// Sends one request through the channel as this user, from a process of its own.
void SendAs(uid_t user, const FakePeer& channel, const ipc::LoginRequest& request) {
  const auto message = ipc::EncodedMessage::Encode(MessageType::kLoginRequest, request);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool sent = ::setresuid(user, user, user) == 0 &&
                      ipc::SendDatagram(channel.fd(), *message, -1).has_value();
    ::_exit(sent ? 0 : 1);
  }
  int status = 1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
}

// With a user for each worker, what another one sends through its channel is not its request: the
// spawner and the supervisor can have an end of a channel, but not the worker's user.
TEST_F(AgentHostileTest, MutesAChannelThroughWhichAnotherUserSends) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "only root can send as another user";
  }
  constexpr uid_t kWorkers[] = {61'000, 61'001};
  ipc::AgentSetup setup = GoodSetup();
  for (const uid_t user : kWorkers) {
    setup.add_worker_uids(user);
  }
  PutJwt("refused without asking OpenBao");
  Start(setup);
  Greet();
  SendAs(kWorkers[0], workers_[0], Request());
  const std::optional<Received> answer = workers_[0].Receive();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->type, MessageType::kLoginFailed);
  SendAs(kWorkers[1], workers_[0], Request());
  ExpectRecord("auth.worker_muted");
  EXPECT_FALSE(workers_[0].Receive(100).has_value());
}

TEST_F(AgentHostileTest, MutesAWorkerThatAsksMoreOftenThanItMay) {
  PutJwt("refused without asking OpenBao");
  Start();
  Greet();
  for (int i = 0; i < static_cast<int>(ipc::kLoginRequests.burst) + 5; ++i) {
    workers_[0].Send(MessageType::kLoginRequest, Request());
  }
  ExpectRecord("auth.worker_muted");
  workers_[1].Send(MessageType::kLoginRequest, Request());
  const std::optional<Received> answer = workers_[1].Receive();
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->type, MessageType::kLoginFailed);
}

TEST_F(AgentHostileTest, LeaksNoDescriptorOverManyViolations) {
  const auto count = [] {
    std::size_t open = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator("/proc/self/fd")) {
      ++open;
    }
    return open;
  };
  Start();
  Greet();
  ExpectServed(0);
  const std::size_t before = count();
  for (int i = 0; i < 5; ++i) {
    const UniqueFd file = Open("/dev/null");
    workers_[0].Send(MessageType::kLoginRequest, Request(), file.get());
    ExpectRecord("auth.worker_muted");
    ExpectServed(0);
  }
  EXPECT_LE(count(), before);
}

TEST_F(AgentHostileTest, ServesTheNextWorkerWhateverTheLastOneDidToItsChannel) {
  const std::vector<std::pair<const char*, std::function<void(FakePeer&)>>> rows = {
      {"ends",
       [](FakePeer& worker) {
         worker.Close();
       }},
      {"sends nothing any more",
       [](FakePeer& worker) {
         EXPECT_EQ(::shutdown(worker.fd(), SHUT_WR), 0);
       }},
      {"receives nothing any more",
       [](FakePeer& worker) {
         EXPECT_EQ(::shutdown(worker.fd(), SHUT_RD), 0);
       }},
      {"neither",
       [](FakePeer& worker) {
         EXPECT_EQ(::shutdown(worker.fd(), SHUT_RDWR), 0);
       }},
      {"violates the protocol",
       [](FakePeer& worker) {
         worker.SendRaw("x");
       }},
  };
  Start();
  Greet();
  for (const auto& [name, deed] : rows) {
    SCOPED_TRACE(name);
    ExpectServed(0);
    deed(workers_[0]);
    ExpectServed(1);
    workers_[0] = StartWorker(0);
    ExpectServed(0);
  }
}

TEST_F(AgentHostileTest, EndsOnEveryViolationByTheSpawner) {
  const std::vector<std::pair<const char*, std::function<void(FakePeer&)>>> rows = {
      {"no channel",
       [](FakePeer& spawner) {
         spawner.Send(MessageType::kPeerChannel, ipc::PeerChannel());
       }},
      {"slot that is not configured",
       [](FakePeer& spawner) {
         ipc::PeerChannel peer;
         peer.set_slot(2);
         spawner.Send(MessageType::kPeerChannel, peer, spawner.fd());
       }},
      {"another message",
       [](FakePeer& spawner) {
         spawner.Send(MessageType::kLoginRequest, Request());
       }},
  };
  for (const auto& [name, violation] : rows) {
    SCOPED_TRACE(name);
    Start();
    Greet();
    violation(*spawner_);
    EXPECT_EQ(End(), ipc::ExitCode::kPeerViolation);
    workers_.clear();
  }
}

TEST_F(AgentHostileTest, OutlivesTheSpawner) {
  Start();
  Greet();
  spawner_->Close();
  ExpectServed(0);
}

TEST_F(AgentHostileTest, RefusesASetupThatIsNotComplete) {
  const std::vector<std::pair<const char*, std::function<void(ipc::AgentSetup&)>>> rows = {
      {"no endpoints",
       [](ipc::AgentSetup& s) {
         s.mutable_openbao()->clear_endpoints();
       }},
      {"no CA",
       [](ipc::AgentSetup& s) {
         s.mutable_openbao()->clear_ca_pem();
       }},
      {"no credential",
       [](ipc::AgentSetup& s) {
         s.clear_credential();
       }},
      {"no mount",
       [](ipc::AgentSetup& s) {
         s.clear_auth_mount();
       }},
      {"no time",
       [](ipc::AgentSetup& s) {
         s.clear_login_timeout_ns();
       }},
      {"no back-off",
       [](ipc::AgentSetup& s) {
         s.clear_longest_backoff_ns();
       }},
      {"no budget",
       [](ipc::AgentSetup& s) {
         s.clear_login_budget_per_minute();
       }},
      {"more slots than there can be",
       [](ipc::AgentSetup& s) {
         s.set_workers(ipc::kMaxWorkers + 1);
       }},
      {"no slots",
       [](ipc::AgentSetup& s) {
         s.set_workers(0);
       }},
      {"no such level",
       [](ipc::AgentSetup& s) {
         s.set_log_level(4);
       }},
  };
  for (const auto& [name, spoil] : rows) {
    SCOPED_TRACE(name);
    ipc::ChannelPair supervisor = *ipc::MakeChannelPair();
    ipc::ChannelPair spawner = *ipc::MakeChannelPair();
    ipc::ChildSession session(ipc::ROLE_AUTH_AGENT, std::move(supervisor.first));
    ipc::AgentSetup setup = GoodSetup();
    spoil(setup);
    EXPECT_FALSE(Agent::Prepare(setup, session, std::move(spawner.first)).has_value());
  }
}

}  // namespace
}  // namespace baokms::authagent
