// Who may be connected to what, with every channel real and the processes at their other ends
// played by the test.

#include "supervisor/serve/child_event_handler.h"

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
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
#include "tests/supervisor/children/peer.h"
#include "tests/supervisor/serve/child_event_fixture.h"
#include "tests/supervisor/status/fake_observers.h"
#include "tests/supervisor/workers/run_loop.h"

namespace baokms::supervisor {
namespace {

using ipc::MessageType;
using ::testing::ElementsAre;

// A base, because it has to exist before the fixture.
class KeptChildLog {
 protected:
  FakeChildLog child_log_;
};

class ChildEventHandlerTest : protected KeptChildLog, public ChildEventFixture {
 protected:
  ChildEventHandlerTest() : ChildEventFixture(1, child_log_) {
    worker_ = Spawned(kWorker, 200);
    agent_ = Spawned(kAgent, 100);
  }

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
  std::int64_t pid = 200;
  for (const std::uint32_t endpoint : {kIdentityProvider, kNobodys}) {
    SCOPED_TRACE(endpoint);
    Ask(*worker_, endpoint);
    Ask(*worker_, endpoint, 2);
    std::optional<ChildKey> killed;
    ASSERT_TRUE(RunUntil(*loop_, [&] { return (killed = Killed()).has_value(); }));
    EXPECT_EQ(*killed, kWorker);
    EXPECT_FALSE(worker_->Receive<ipc::ConnectAnswer>(MessageType::kConnectAnswer).has_value());
    const auto violations = log_.Of("process.breach");
    ASSERT_EQ(violations.size(), static_cast<std::size_t>(pid - 199)) << "one for each process";
    EXPECT_EQ(FakeLog::Text(violations.back(), "child"), "worker_0");
    EXPECT_EQ(FakeLog::Text(violations.back(), "reason"),
              "a worker asked for an endpoint not OpenBao's");
    SendExited(kWorker, pid);
    worker_ = Spawned(kWorker, ++pid);
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
  EXPECT_THAT(child_log_.lines, ElementsAre("auth_agent caused auth.login_budget"));

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

// Nothing of the kind was asked, and the log must not fill with the same complaint.
TEST_F(ChildEventHandlerTest, AnAgentThatEndsPinAttemptsOfItsOwnIsKilledOnce) {
  ipc::PinAttemptEnd end;
  end.set_result(ipc::PinAttemptEnd::RESULT_ACCEPTED);
  agent_->Send(MessageType::kPinAttemptEnd, end);
  agent_->Send(MessageType::kPinAttemptEnd, end);
  std::optional<ChildKey> killed;
  ASSERT_TRUE(RunUntil(*loop_, [&] { return (killed = Killed()).has_value(); }));
  EXPECT_EQ(*killed, kAgent);
  RunFor(*loop_, std::chrono::milliseconds(5));
  EXPECT_FALSE(Killed().has_value());
  EXPECT_EQ(log_.Of("process.breach").size(), 1U);
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
  SendExited(kAgent, 100);
  const std::unique_ptr<Peer> next = SpawnedSilent(kAgent, 101);
  ipc::StartFailure failure;
  failure.set_code(static_cast<std::uint32_t>(ErrorCode::kSystem));
  failure.set_sys_errno(EACCES);
  failure.set_step("open of a file in /proc/self");
  next->Send(MessageType::kStartFailure, failure);
  ASSERT_TRUE(RunUntil(*loop_, [&] { return !start_failures_.empty(); }));
  EXPECT_THAT(start_failures_,
              ElementsAre(std::pair(kAgent, std::string("open of a file in /proc/self"))));
  const auto records = child_log_.caused.Of("process.start_failed");
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
  SendExited(kAgent, 100);
  agent_ = Spawned(kAgent, 101);
  Ask(*agent_, kOpenBao);
  EXPECT_EQ(AwaitAnswer(*agent_), ipc::OUTCOME_LOGIN_BUDGET);
}

}  // namespace
}  // namespace baokms::supervisor
