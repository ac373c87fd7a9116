// An auth agent that was taken over and breaks the protocol: a real worker does not hear it any
// more, keeps what it has and serves. And a supervisor or an agent that sends without end.

#include <sys/socket.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "ipc/token_message.h"
#include "proto/ipc.pb.h"
#include "tests/worker/attacker.h"
#include "tests/worker/setups.h"
#include "tests/worker/worker_fixture.h"

namespace baokms::worker {
namespace {

std::function<void(Attacker&)> SayAsAgent(Type type, std::string body) {
  return [type, body = std::move(body)](Attacker& attacker) {
    attacker.SendRaw(attacker.agent(), type, body);
  };
}

std::vector<Violation> AgentViolations() {
  ipc::LoginFailed unnamed;
  unnamed.set_request_id(std::string(ipc::kLoginRequestIdSize, 'x'));
  unnamed.set_outcome(ipc::OUTCOME_SEALED);
  return {
      {"agent sends an empty token", When::kServing,
       SayAsAgent(Type::kToken, std::string(ipc::kTokenHeaderSize, '\0'))},
      {"agent sends a token over the maximum", When::kServing,
       SayAsAgent(Type::kToken, std::string(ipc::kMaxTokenBody + 1, '\0'))},
      {"agent sends a flag that is not one", When::kServing,
       SayAsAgent(Type::kToken, std::string(ipc::kTokenHeaderSize + 4, '\2'))},
      {"agent fails without a word", When::kServing, SayAsAgent(Type::kLoginFailed, Body(unnamed))},
      {"agent asks for a decryption", When::kServing,
       SayAsAgent(Type::kDecryptRequest, Body(MakeDecrypt(1, 1)))},
      {"agent sends a table", When::kServing,
       SayAsAgent(Type::kKeyTable, Body(MakeTable(9, 1, 1)))},
      {"agent answers for the broker", When::kServing,
       SayAsAgent(Type::kConnectAnswer, Body(Connected(ipc::OUTCOME_DNS_FAILED)))},
      {"agent attaches a descriptor", When::kServing,
       [](Attacker& a) {
         a.SendRaw(a.agent(), Type::kToken, std::string(ipc::kTokenHeaderSize + 8, '\0'),
                   {a.agent()});
       }},
  };
}

// Otherwise an agent that was taken over could end all workers, whose tokens are good.
class HostileAgentTest : public testing::TestWithParam<Violation> {};

TEST_P(HostileAgentTest, IsNotHeardAnyMoreAndTheWorkerServes) {
  const std::size_t descriptors = OpenDescriptors();
  {
    Attacker attacker;
    attacker.Greet();
    attacker.ExpectServing(1);
    const auto asked = attacker.Await<ipc::LoginRequest>(attacker.agent(), Type::kLoginRequest);
    GetParam().commit(attacker);
    EXPECT_EQ(attacker.Await<ipc::LogRecord>(attacker.supervisor(), Type::kLogRecord).event(),
              "auth.agent_muted");
    ipc::LoginFailed failed;
    failed.set_request_id(asked.request_id());
    failed.set_outcome(ipc::OUTCOME_SEALED);
    failed.set_status("error");
    attacker.Send(attacker.agent(), Type::kLoginFailed, failed);
    attacker.ExpectServing(2);
    attacker.StartAgent();
    const auto again = attacker.Await<ipc::LoginRequest>(attacker.agent(), Type::kLoginRequest);
    EXPECT_EQ(again.request_id(), asked.request_id()) << "the answer of the last one did not count";
    attacker.CloseSupervisor();
    EXPECT_EQ(attacker.Join(), ExitCode::kSupervisorGone);
  }
  EXPECT_EQ(OpenDescriptors(), descriptors);
}

INSTANTIATE_TEST_SUITE_P(Agent, HostileAgentTest, testing::ValuesIn(AgentViolations()));

// Fewer messages than a channel holds, more than the peer may send in this time.
void Flood(int channel, Type type, const std::string& body, const ipc::FlowLimit& limit) {
  const std::string bytes = std::string{static_cast<char>(type), 0} + body;
  for (int i = 0; i < static_cast<int>(limit.burst) + 5; ++i) {
    (void)!::send(channel, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
}

TEST(HostileFloodTest, OfTokensMutesTheAgent) {
  Attacker attacker;
  attacker.Greet();
  attacker.ExpectServing(1);
  Flood(attacker.agent(), Type::kToken, std::string(ipc::kTokenHeaderSize + 8, '\0'),
        ipc::kLoginAnswers);
  EXPECT_EQ(attacker.Await<ipc::LogRecord>(attacker.supervisor(), Type::kLogRecord).event(),
            "auth.agent_muted");
  attacker.ExpectServing(2);
  attacker.CloseSupervisor();
  EXPECT_EQ(attacker.Join(), ExitCode::kSupervisorGone);
}

TEST(HostileFloodTest, OfPingsEndsTheWorker) {
  Attacker attacker;
  attacker.Greet();
  attacker.ExpectServing(1);
  Flood(attacker.supervisor(), Type::kPing, "", ipc::kPings);
  EXPECT_EQ(attacker.Join(), ExitCode::kPeerViolation);
}

}  // namespace
}  // namespace baokms::worker
