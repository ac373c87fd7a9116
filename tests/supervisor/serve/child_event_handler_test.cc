// Who may be connected to what, with every channel real and the processes at their other ends
// played by the test.

#include "supervisor/serve/child_event_handler.h"

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "supervisor/broker/broker.h"
#include "supervisor/children/children.h"
#include "supervisor/observe/child_records.h"
#include "supervisor/serve/credential_status.h"
#include "supervisor/serve/login_budget.h"
#include "supervisor/workers/worker_set.h"
#include "tests/supervisor/children/peer.h"
#include "tests/supervisor/status/fake_observers.h"
#include "tests/supervisor/workers/run_loop.h"

namespace baokms::supervisor {
namespace {

using ipc::MessageType;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::NiceMock;

constexpr ChildKey kAgent = kAgentKey;
constexpr ChildKey kWorker = WorkerKey(0);

// Endpoint 0 is OpenBao's, endpoint 1 that of the identity provider.
constexpr std::uint32_t kOpenBao = 0;
constexpr std::uint32_t kIdentityProvider = 1;
constexpr std::uint32_t kNobodys = 2;

constexpr std::size_t kLogins = 2;

// Keeps what children caused, by the name of the child.
class FakeChildLog final : public ChildLog {
 public:
  void WriteChild(std::string_view process,
                  std::int64_t /*pid*/,
                  const ipc::LogRecord& record) override {
    lines.push_back(std::string(process) + " " + record.event());
  }

  void WriteCausedBy(std::string_view process, const LogRecord& record) override {
    lines.push_back(std::string(process) + " caused " + record.event);
    EXPECT_EQ(FakeLog::Text(record, "child"), process);
  }

  std::vector<std::string> lines;
};

class ChildEventHandlerTest : public ::testing::Test {
 protected:
  ChildEventHandlerTest() {
    ipc::ChannelPair pair = ipc::MakeChannelPair().value();
    spawner_ = std::make_unique<Peer>(std::move(pair.second));
    children_ =
        Children::Create(
            *loop_, log_, metrics_, events_, std::move(pair.first),
            {.started = [this](const ChildKey& key,
                               UniqueFd channel) { events_.OnStarted(key, std::move(channel)); },
             .ended = [this](const ChildKey& key,
                             const ExitStatus& status) { events_.OnEnded(key, status); },
             .spawner_gone =
                 [] {
                 }})
            .value();
    events_.Connect(workers_, *children_);
    children_->Start(1);
    spawner_->SayHello(ipc::ROLE_SPAWNER);
    worker_ = Spawned(kWorker, 200);
    agent_ = Spawned(kAgent, 100);
  }

  // Plays the spawner: the child's end of its channel, before its Hello.
  std::unique_ptr<Peer> SpawnedSilent(const ChildKey& key, std::int64_t pid) {
    std::unique_ptr<Peer> child;
    EXPECT_TRUE(RunUntil(*loop_, [&] {
      auto spawn = spawner_->Receive<ipc::Spawn>(MessageType::kSpawn);
      if (!spawn || spawn->first.role() != key.role) {
        return false;
      }
      child = std::make_unique<Peer>(std::move(spawn->second));
      return true;
    }));
    ipc::Spawned spawned;
    spawned.set_role(key.role);
    spawned.set_slot(key.slot);
    spawned.set_pid(pid);
    spawner_->Send(MessageType::kSpawned, spawned);
    return child;
  }

  // The same after its Hello was answered.
  std::unique_ptr<Peer> Spawned(const ChildKey& key, std::int64_t pid) {
    std::unique_ptr<Peer> child = SpawnedSilent(key, pid);
    child->SayHello(key.role);
    EXPECT_TRUE(RunUntil(*loop_, [&] {
      return child->Receive<ipc::HelloAnswer>(MessageType::kHelloAnswer).has_value();
    }));
    return child;
  }

  static void Ask(Peer& child, std::uint32_t endpoint, std::uint64_t id = 1) {
    ipc::ConnectRequest request;
    request.set_id(id);
    request.set_endpoint(endpoint);
    child.Send(MessageType::kConnectRequest, request);
  }

  // The answer's outcome; a socket has to be there with OUTCOME_OK and no other.
  ipc::Outcome AwaitAnswer(Peer& child) {
    ipc::Outcome outcome = ipc::OUTCOME_UNSPECIFIED;
    EXPECT_TRUE(RunUntil(*loop_, [&] {
      const auto answer = child.Receive<ipc::ConnectAnswer>(MessageType::kConnectAnswer);
      if (answer) {
        outcome = answer->first.outcome();
        EXPECT_EQ(answer->second.valid(), outcome == ipc::OUTCOME_OK);
      }
      return answer.has_value();
    }));
    return outcome;
  }

  // Which child the spawner was told to kill, if any.
  std::optional<ChildKey> Killed() {
    const auto kill = spawner_->Receive<ipc::Kill>(MessageType::kKill);
    return kill ? std::optional(ChildKey{kill->first.role(), kill->first.slot()}) : std::nullopt;
  }

  std::unique_ptr<EventLoop> loop_ = EventLoop::Create().value();
  FakeLog log_;
  FakeChildLog child_log_;
  std::vector<std::pair<ChildKey, std::string>> start_failures_;
  NiceMock<MockMetrics> metrics_;
  // Nobody listens on port 1: a socket that is still connecting is all that is asked for.
  std::unique_ptr<Broker> broker_ =
      Broker::Create(*loop_, metrics_, {{"127.0.0.1", 1}, {"127.0.0.1", 1}}, milliseconds(500))
          .value();
  LoginBudget login_budget_{kLogins};
  CredentialStatus credential_{AuthMethod::kJwt};
  ProcessTable processes_;
  ChildEventHandler events_{{.loop = *loop_,
                             .broker = *broker_,
                             .openbao_endpoints = kIdentityProvider,
                             .login_budget = login_budget_,
                             .credential = credential_,
                             .log = log_,
                             .metrics = metrics_,
                             .processes = processes_,
                             .child_log = child_log_,
                             .worker_usable = [] {},
                             .start_failed =
                                 [this](const ChildKey& key, const ipc::StartFailure& failure) {
                                   start_failures_.emplace_back(key, failure.step());
                                 }}};
  WorkerSet workers_{*loop_, events_, 1};
  std::unique_ptr<Peer> spawner_;
  std::unique_ptr<Children> children_;
  std::unique_ptr<Peer> worker_;
  std::unique_ptr<Peer> agent_;
};

TEST_F(ChildEventHandlerTest, WorkersAreConnectedToOpenBao) {
  Ask(*worker_, kOpenBao);
  EXPECT_EQ(AwaitAnswer(*worker_), ipc::OUTCOME_OK);
  EXPECT_FALSE(Killed().has_value());
  EXPECT_EQ(login_budget_.Remaining(BootNow()), kLogins) << "a worker's connection is no login";
}

TEST_F(ChildEventHandlerTest, WorkersThatAskForAnotherEndpointAreKilled) {
  for (const std::uint32_t endpoint : {kIdentityProvider, kNobodys}) {
    SCOPED_TRACE(endpoint);
    Ask(*worker_, endpoint);
    std::optional<ChildKey> killed;
    ASSERT_TRUE(RunUntil(*loop_, [&] { return (killed = Killed()).has_value(); }));
    EXPECT_EQ(*killed, kWorker);
    EXPECT_FALSE(worker_->Receive<ipc::ConnectAnswer>(MessageType::kConnectAnswer).has_value());
    const auto violations = log_.Of("process.breach");
    ASSERT_FALSE(violations.empty());
    EXPECT_EQ(FakeLog::Text(violations.back(), "child"), "worker_0");
    EXPECT_EQ(FakeLog::Text(violations.back(), "reason"),
              "a worker asked for an endpoint not OpenBao's");
  }
}

TEST_F(ChildEventHandlerTest, TheAgentIsConnectedToItsIdentityProviderToo) {
  Ask(*agent_, kIdentityProvider);
  EXPECT_EQ(AwaitAnswer(*agent_), ipc::OUTCOME_OK);
  EXPECT_EQ(login_budget_.Remaining(BootNow()), kLogins) << "a grant is no login";
  EXPECT_FALSE(Killed().has_value());
}

TEST_F(ChildEventHandlerTest, AnAgentThatAsksForAnEndpointThatDoesNotExistIsKilled) {
  Ask(*agent_, kNobodys);
  std::optional<ChildKey> killed;
  ASSERT_TRUE(RunUntil(*loop_, [&] { return (killed = Killed()).has_value(); }));
  EXPECT_EQ(*killed, kAgentKey);
  EXPECT_FALSE(agent_->Receive<ipc::ConnectAnswer>(MessageType::kConnectAnswer).has_value());
  EXPECT_EQ(FakeLog::Text(log_.Of("process.breach").at(0), "reason"),
            "asked for an endpoint that is not configured");
}

TEST_F(ChildEventHandlerTest, TheAgentIsConnectedToOpenBaoAsOftenAsItsBudgetSays) {
  for (std::uint64_t id = 1; id <= kLogins; ++id) {
    Ask(*agent_, kOpenBao, id);
    EXPECT_EQ(AwaitAnswer(*agent_), ipc::OUTCOME_OK);
  }
  Ask(*agent_, kOpenBao, 9);
  EXPECT_EQ(AwaitAnswer(*agent_), ipc::OUTCOME_LOGIN_BUDGET);
  EXPECT_EQ(log_.Of("auth.login_budget").size(), 1U);

  // One that led nowhere is given back.
  ipc::ConnectReport verdict;
  verdict.set_id(1);
  verdict.set_usable(false);
  agent_->Send(MessageType::kConnectReport, verdict);
  Ask(*agent_, kOpenBao, 10);
  EXPECT_EQ(AwaitAnswer(*agent_), ipc::OUTCOME_OK);
}

TEST_F(ChildEventHandlerTest, TheWordOfTheAgentDoesNotLiftTheBudget) {
  constexpr std::uint64_t kAllowed = kLogins + static_cast<std::uint64_t>(kMaxAgentRefunds) + 1;
  std::uint64_t logins = 0;
  for (std::uint64_t id = 1; id <= 2 * kAllowed; ++id) {
    Ask(*agent_, kOpenBao, id);
    if (AwaitAnswer(*agent_) != ipc::OUTCOME_OK) {
      break;
    }
    ++logins;
    ipc::ConnectReport verdict;
    verdict.set_id(id);
    verdict.set_usable(false);
    agent_->Send(MessageType::kConnectReport, verdict);
  }
  EXPECT_GE(logins, kLogins);
  EXPECT_LE(logins, kAllowed);
}

TEST_F(ChildEventHandlerTest, ACallIsLoggedWithTheNameOfTheChildThatReportedIt) {
  ipc::AgentStatus status;
  status.set_status("error");
  status.set_last_outcome(ipc::OUTCOME_SEALED);
  ipc::OpenBaoCall& call = *status.add_calls();
  call.set_operation(ipc::OPERATION_JWT_LOGIN);
  call.set_outcome(ipc::OUTCOME_SEALED);
  agent_->Send(MessageType::kAgentStatus, status);
  ASSERT_TRUE(RunUntil(*loop_, [&] { return !child_log_.lines.empty(); }));
  EXPECT_THAT(child_log_.lines, ElementsAre("auth_agent caused openbao.request"));
}

TEST_F(ChildEventHandlerTest, AChildThatCannotStartIsLoggedWithItsStepAndErrno) {
  ipc::Exited exited;
  exited.set_role(kAgent.role);
  exited.set_pid(100);
  spawner_->Send(MessageType::kExited, exited);
  const std::unique_ptr<Peer> next = SpawnedSilent(kAgent, 101);
  ipc::StartFailure failure;
  failure.set_code(static_cast<std::uint32_t>(ErrorCode::kSystem));
  failure.set_sys_errno(EACCES);
  failure.set_step("open of a file in /proc/self");
  next->Send(MessageType::kStartFailure, failure);
  ASSERT_TRUE(RunUntil(*loop_, [&] { return !start_failures_.empty(); }));
  EXPECT_THAT(start_failures_,
              ElementsAre(std::pair(kAgent, std::string("open of a file in /proc/self"))));
  const auto records = log_.Of("process.start_failed");
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(FakeLog::Text(records[0], "child"), "auth_agent");
  EXPECT_EQ(FakeLog::Text(records[0], "step"), "open of a file in /proc/self");
  EXPECT_EQ(FakeLog::Text(records[0], "error"), "system");
  EXPECT_EQ(records[0].fields.back(), (std::pair<std::string, LogValue>("errno", EACCES)));
}

TEST_F(ChildEventHandlerTest, ARoleAcceptsItsSetUpForItselfAlone) {
  ASSERT_TRUE(events_.HasAcceptedSetUp(kAgent.role));
  EXPECT_FALSE(events_.HasAcceptedSetUp(kWorker.role));  // it has not said that it is ready
  ipc::KeyTable table;
  table.set_generation(1);
  workers_.PublishKeyTable(table, [] {});
  ASSERT_TRUE(RunUntil(
      *loop_, [&] { return worker_->Receive<ipc::KeyTable>(MessageType::kKeyTable).has_value(); }));
  ipc::KeyTableAnswer taken;
  taken.set_generation(1);
  taken.set_outcome(ipc::OUTCOME_OK);
  worker_->Send(MessageType::kKeyTableAnswer, taken);
  EXPECT_TRUE(RunUntil(*loop_, [&] { return events_.HasAcceptedSetUp(kWorker.role); }));
}

TEST_F(ChildEventHandlerTest, TheBudgetOutlivesTheAgent) {
  for (std::uint64_t id = 1; id <= kLogins; ++id) {
    Ask(*agent_, kOpenBao, id);
    EXPECT_EQ(AwaitAnswer(*agent_), ipc::OUTCOME_OK);
  }
  ipc::Exited exited;
  exited.set_role(kAgent.role);
  exited.set_pid(100);
  spawner_->Send(MessageType::kExited, exited);
  agent_ = Spawned(kAgent, 101);
  Ask(*agent_, kOpenBao);
  EXPECT_EQ(AwaitAnswer(*agent_), ipc::OUTCOME_LOGIN_BUDGET);
}

}  // namespace
}  // namespace baokms::supervisor
