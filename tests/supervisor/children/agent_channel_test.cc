// An auth agent that was taken over and breaks the protocol: the supervisor must notice each
// violation once, hear nothing after it and leak no descriptor.

#include "supervisor/children/agent_channel.h"

#include <fcntl.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "supervisor/spawner/child_key.h"
#include "tests/supervisor/children/peer.h"
#include "tests/supervisor/children/recording_events.h"
#include "tests/supervisor/workers/run_loop.h"

namespace baokms::supervisor {
namespace {

using ipc::MessageType;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RecordingAgentEvents final : public RecordingEvents<>, public AgentEvents {
 public:
  void OnAgentViolation(const Error& why) override { violations.push_back(why.code()); }

  void OnAgentReady() override { ready = true; }

  void OnAgentSilent() override { silent = true; }

  void OnAgentStatus(const ipc::AgentStatus& status) override {
    events.push_back("status " + status.status());
  }

  void OnAgentPinAttempt(std::uint16_t tag) override {
    events.push_back("pin attempt " + std::to_string(tag));
  }

  Status OnAgentPinResult(ipc::PinAttemptEnd::Result result) override {
    events.push_back("pin result " + std::to_string(result));
    return {};
  }

  std::vector<ErrorCode> violations;
  bool ready = false;
  bool silent = false;
};

struct Violation {
  const char* name;
  enum class When : std::uint8_t { kAtOnce, kServing } when;
  std::function<void(Peer&)> commit;
};

void PrintTo(const Violation& violation, std::ostream* stream) {
  *stream << violation.name;
}

using When = Violation::When;

ipc::ProcDescriptor ProcFile(ipc::ProcDescriptor::Kind kind) {
  ipc::ProcDescriptor message;
  message.set_kind(kind);
  return message;
}

ipc::AgentStatus StatusWithCalls(std::size_t calls) {
  ipc::AgentStatus status;
  status.set_status("ok");
  for (std::size_t i = 0; i < calls; ++i) {
    ipc::OpenBaoCall& call = *status.add_calls();
    call.set_operation(ipc::OPERATION_JWT_LOGIN);
    call.set_outcome(ipc::OUTCOME_OK);
  }
  return status;
}

// An AgentStatus that is well-formed but for `change`.
std::function<void(Peer&)> ChangedStatus(const std::function<void(ipc::AgentStatus&)>& change) {
  return [change](Peer& agent) {
    ipc::AgentStatus status = StatusWithCalls(1);
    change(status);
    agent.Send(MessageType::kAgentStatus, status);
  };
}

ipc::StartFailure GoodStartFailure() {
  ipc::StartFailure failure;
  failure.set_code(static_cast<std::uint32_t>(ErrorCode::kSystem));
  failure.set_step("prctl(PR_SET_NAME)");
  return failure;
}

const Violation kViolations[] = {
    {"status before Hello", When::kAtOnce,
     [](Peer& agent) {
       agent.Send(MessageType::kAgentStatus, StatusWithCalls(0));
     }},
    {"connect request before Hello", When::kAtOnce,
     [](Peer& agent) {
       agent.Send(MessageType::kConnectRequest, ipc::ConnectRequest());
     }},
    {"Hello of another version", When::kAtOnce,
     [](Peer& agent) {
       agent.SayHello(ipc::ROLE_AUTH_AGENT, ipc::kProtocolVersion + 1);
     }},
    {"Hello of another role", When::kAtOnce,
     [](Peer& agent) {
       agent.SayHello(ipc::ROLE_WORKER);
     }},
    {"second Hello", When::kServing,
     [](Peer& agent) {
       agent.SayHello(ipc::ROLE_AUTH_AGENT);
     }},
    {"datagram without a type", When::kAtOnce,
     [](Peer& agent) {
       agent.SendBytes("\x02");
     }},
    {"type that does not exist", When::kServing,
     [](Peer& agent) {
       agent.SendBytes(std::string("\xff\xff", 2));
     }},
    {"worker's message", When::kServing,
     [](Peer& agent) {
       agent.Send(MessageType::kTokenStatus, ipc::TokenStatus());
     }},
    {"spawner's message", When::kServing,
     [](Peer& agent) {
       agent.Send(MessageType::kExited, ipc::Exited());
     }},
    {"token", When::kServing,
     [](Peer& agent) {
       agent.SendRaw(MessageType::kToken, std::string(40, 't'));
     }},
    {"bytes behind a message", When::kServing,
     [](Peer& agent) {
       agent.SendRaw(MessageType::kAgentStatus, StatusWithCalls(0).SerializeAsString() + '\0');
     }},
    {"field that the message does not have", When::kServing,
     [](Peer& agent) {
       agent.SendRaw(MessageType::kConnectReport, std::string("\x08\x01\x78\x01", 4));
     }},
    {"field written twice", When::kServing,
     [](Peer& agent) {
       agent.SendRaw(MessageType::kConnectReport, std::string("\x08\x01\x08\x02", 4));
     }},
    {"message over its maximum", When::kServing,
     [](Peer& agent) {
       agent.SendRaw(MessageType::kAgentStatus,
                     std::string(ipc::LimitsOf(MessageType::kAgentStatus).max_body + 1, 'x'));
     }},
    {"more calls than one login can make", When::kServing,
     [](Peer& agent) {
       agent.Send(MessageType::kAgentStatus, StatusWithCalls(ipc::kMaxCalls + 1));
     }},
    {"malformed log record", When::kServing,
     [](Peer& agent) {
       ipc::LogRecord record;
       record.set_event("auth login\n");
       agent.Send(MessageType::kLogRecord, record);
     }},
    {"log record with an overlong text", When::kServing,
     [](Peer& agent) {
       ipc::LogRecord record;
       record.set_event("auth.login");
       ipc::LogField& field = *record.add_fields();
       field.set_key("reason");
       field.set_text(std::string(ipc::kMaxLogText + 1, 'x'));
       agent.Send(MessageType::kLogRecord, record);
     }},
    {"malformed log record before Hello", When::kAtOnce,
     [](Peer& agent) {
       agent.Send(MessageType::kLogRecord, ipc::LogRecord());
     }},
    {"malformed confinement report", When::kServing,
     [](Peer& agent) {
       ipc::ConfinementReport report;
       report.set_filter_name("auth\nagent");
       agent.Send(MessageType::kConfinementReport, report);
     }},
    {"overlong confinement report", When::kServing,
     [](Peer& agent) {
       ipc::ConfinementReport report;
       report.set_filter_name(std::string(ipc::kMaxStatusWord + 1, 'x'));
       agent.Send(MessageType::kConfinementReport, report);
     }},
    {"status that is no word", When::kServing,
     ChangedStatus([](auto& s) { s.set_status("OK\n"); })},
    {"overlong status", When::kServing,
     ChangedStatus([](auto& s) { s.set_status(std::string(ipc::kMaxStatusWord + 1, 'x')); })},
    {"credential status that is no word", When::kServing,
     ChangedStatus([](auto& s) { s.set_credential_status("a b"); })},
    {"unknown outcome", When::kServing,
     ChangedStatus([](auto& s) { s.set_last_outcome(static_cast<ipc::Outcome>(99)); })},
    {"credential that ends after all years", When::kServing,
     ChangedStatus([](auto& s) { s.set_credential_ends_unix(ipc::kMaxUnixTime + 1); })},
    {"credential that ends before all years", When::kServing,
     ChangedStatus([](auto& s) { s.set_credential_ends_unix(INT64_MIN); })},
    {"credential that is due after all years", When::kServing,
     ChangedStatus([](auto& s) { s.set_credential_due_unix(INT64_MAX); })},
    {"malformed call", When::kServing, ChangedStatus([](auto& s) { s.add_calls(); })},
    {"start failure after Hello", When::kServing,
     [](Peer& agent) {
       agent.Send(MessageType::kStartFailure, GoodStartFailure());
     }},
    {"start failure twice", When::kAtOnce,
     [](Peer& agent) {
       agent.Send(MessageType::kStartFailure, GoodStartFailure());
       agent.Send(MessageType::kStartFailure, GoodStartFailure());
     }},
    {"PIN attempt before Hello", When::kAtOnce,
     [](Peer& agent) {
       agent.Send(MessageType::kPinAttemptBegin, ipc::PinAttemptBegin());
     }},
    {"PIN tag of more than four bits", When::kServing,
     [](Peer& agent) {
       ipc::PinAttemptBegin begin;
       begin.set_tag(0xf001);
       agent.Send(MessageType::kPinAttemptBegin, begin);
     }},
    {"end of a PIN attempt without a result", When::kServing,
     [](Peer& agent) {
       agent.Send(MessageType::kPinAttemptEnd, ipc::PinAttemptEnd());
     }},
    {"Pong without a Ping", When::kServing,
     [](Peer& agent) {
       agent.Send(MessageType::kPong, ipc::Pong());
     }},
    {"descriptor where none belongs", When::kServing,
     [](Peer& agent) {
       agent.Send(MessageType::kAgentStatus, StatusWithCalls(0), agent.fd());
     }},
    {"descriptor message without a descriptor", When::kServing,
     [](Peer& agent) {
       agent.Send(MessageType::kProcDescriptor, ProcFile(ipc::ProcDescriptor::KIND_STATUS));
     }},
    {"descriptor of no kind", When::kServing,
     [](Peer& agent) {
       agent.Send(MessageType::kProcDescriptor, ipc::ProcDescriptor(), agent.fd());
     }},
    {"descriptor of an unknown kind", When::kServing,
     [](Peer& agent) {
       agent.SendRaw(MessageType::kProcDescriptor, std::string("\x08\x21", 2));
     }},
    {"descriptor sent twice", When::kServing,
     [](Peer& agent) {
       agent.Send(MessageType::kProcDescriptor, ProcFile(ipc::ProcDescriptor::KIND_STATM),
                  agent.fd());
       agent.Send(MessageType::kProcDescriptor, ProcFile(ipc::ProcDescriptor::KIND_STATM),
                  agent.fd());
     }},
};

class AgentChannelTestBase : public ::testing::Test {
 protected:
  AgentChannelTestBase() {
    ipc::ChannelPair pair = ipc::MakeChannelPair().value();
    agent_ = std::make_unique<Peer>(std::move(pair.second));
    channel_ = std::make_shared<AgentChannel>(*loop_, 1, events_, events_);
    EXPECT_TRUE(channel_->Open(std::move(pair.first)));
  }

  void BecomeServing() {
    agent_->SayHello(ipc::ROLE_AUTH_AGENT);
    ASSERT_TRUE(RunUntil(*loop_, [this] {
      return agent_->Receive<ipc::HelloAnswer>(MessageType::kHelloAnswer).has_value();
    }));
  }

  std::unique_ptr<EventLoop> loop_ = EventLoop::Create().value();
  RecordingAgentEvents events_;
  std::unique_ptr<Peer> agent_;
  std::shared_ptr<AgentChannel> channel_;
};

class AgentChannelTest : public AgentChannelTestBase,
                         public ::testing::WithParamInterface<Violation> {};

TEST_P(AgentChannelTest, EndsOnEveryViolationOnce) {
  if (GetParam().when == When::kServing) {
    BecomeServing();
  }
  const int before = CountDescriptors();
  GetParam().commit(*agent_);
  ASSERT_TRUE(RunUntil(*loop_, [this] { return !events_.violations.empty(); }));
  EXPECT_THAT(events_.violations, ElementsAre(ErrorCode::kProtocolViolation));
  events_.events.clear();

  agent_->SayHello(ipc::ROLE_AUTH_AGENT);
  agent_->Send(MessageType::kAgentStatus, StatusWithCalls(0));
  RunFor(*loop_, milliseconds(5));
  EXPECT_EQ(events_.violations.size(), 1U);
  EXPECT_THAT(events_.events, IsEmpty()) << "nothing is received after a violation";
  events_.descriptors.clear();
  EXPECT_LE(CountDescriptors(), before) << "no descriptor stays open";
}

INSTANTIATE_TEST_SUITE_P(Violations, AgentChannelTest, ::testing::ValuesIn(kViolations));

using HonestAgentTest = AgentChannelTestBase;

class ConnectingAgentTest : public AgentChannelTestBase {
 protected:
  void Ask(std::uint64_t receipt = 0) {
    ipc::ConnectRequest request;
    request.set_receipt(receipt);
    agent_->Send(MessageType::kConnectRequest, request);
    RunFor(*loop_, BootTime::zero());
  }

  void Answer() {
    ipc::ConnectAnswer answer;
    answer.set_outcome(ipc::OUTCOME_CONNECTION_FAILED);
    ASSERT_TRUE(channel_->AnswerConnect(answer, UniqueFd()));
  }

  std::uint64_t AwaitReceipt() {
    const auto answer = agent_->Receive<ipc::ConnectAnswer>(MessageType::kConnectAnswer);
    return answer ? answer->first.receipt() : 0;
  }

  bool AwaitAsked(std::size_t count) {
    return RunUntil(*loop_, [&] { return events_.events.size() == count; });
  }

  bool AwaitViolation() {
    return RunUntil(*loop_, [this] { return !events_.violations.empty(); });
  }
};

// Connections cost descriptors, which count until they are received.
TEST_F(ConnectingAgentTest, MayNotHaveMoreConnectionsUnansweredThanItsLimit) {
  BecomeServing();
  for (std::size_t i = 0; i < ipc::kMaxUnansweredConnects; ++i) {
    Ask();
  }
  ASSERT_TRUE(AwaitAsked(ipc::kMaxUnansweredConnects));
  EXPECT_THAT(events_.violations, IsEmpty());
  Answer();
  Answer();
  Answer();
  (void)AwaitReceipt();
  const std::uint64_t second = AwaitReceipt();
  EXPECT_NE(second, AwaitReceipt());
  Ask(second);
  Ask(second);
  ASSERT_TRUE(AwaitAsked(ipc::kMaxUnansweredConnects + 2)) << "it has received two answers";
  EXPECT_THAT(events_.violations, IsEmpty());
  Ask(second);
  ASSERT_TRUE(AwaitViolation()) << "the third was sent, and may not have been received";
  EXPECT_THAT(events_.violations, ElementsAre(ErrorCode::kProtocolViolation));
}

TEST_F(ConnectingAgentTest, CannotSayThatItReceivedWhatItDidNot) {
  BecomeServing();
  Ask();
  ASSERT_TRUE(AwaitAsked(1));
  Answer();
  const std::uint64_t receipt = AwaitReceipt();
  Ask(receipt + 1);
  ASSERT_TRUE(AwaitViolation());
  EXPECT_THAT(events_.violations, ElementsAre(ErrorCode::kProtocolViolation));
}

TEST_F(HonestAgentTest, AnswersPingsAndIsLeftAlone) {
  BecomeServing();
  int pings = 0;
  const BootTime end = BootNow() + (ipc::kAgentSilence.kill + 2) * ipc::kAgentSilence.tick;
  RunUntil(*loop_, [&] {
    if (agent_->Receive<ipc::Ping>(MessageType::kPing)) {
      ++pings;
      agent_->Send(MessageType::kPong, ipc::Pong());
    }
    return BootNow() >= end;
  });
  EXPECT_GE(pings, 2);
  EXPECT_FALSE(events_.silent);
  EXPECT_THAT(events_.violations, IsEmpty());
}

TEST_F(HonestAgentTest, IsToldAboutWhenItIsStopped) {
  BecomeServing();
  const BootTime before = BootNow();
  ASSERT_TRUE(RunUntil(*loop_, [this] { return events_.silent; }));
  EXPECT_GE(BootNow() - before, ipc::kAgentSilence.kill * ipc::kAgentSilence.tick);
  EXPECT_TRUE(agent_->Receive<ipc::Ping>(MessageType::kPing).has_value());
  EXPECT_FALSE(agent_->Receive<ipc::Ping>(MessageType::kPing).has_value()) << "one is enough";
}

TEST_F(HonestAgentTest, SaysWhyItCannotStart) {
  agent_->Send(MessageType::kStartFailure, GoodStartFailure());
  agent_->Leave();
  ASSERT_TRUE(RunUntil(*loop_, [this] { return !events_.violations.empty(); }));
  EXPECT_THAT(events_.events, ElementsAre("auth_agent cannot start: prctl(PR_SET_NAME)"));
  EXPECT_THAT(events_.violations, ElementsAre(ErrorCode::kUnavailable));
}

TEST_F(HonestAgentTest, IsHeard) {
  BecomeServing();
  agent_->Send(MessageType::kProcDescriptor, ProcFile(ipc::ProcDescriptor::KIND_STATUS),
               agent_->fd());
  ipc::ConfinementReport confinement;
  confinement.set_filter_name("auth_agent");
  agent_->Send(MessageType::kConfinementReport, confinement);
  agent_->Send(MessageType::kAgentStatus, StatusWithCalls(ipc::kMaxCalls));
  ipc::ConnectRequest request;
  request.set_endpoint(2);
  agent_->Send(MessageType::kConnectRequest, request);
  ASSERT_TRUE(RunUntil(*loop_, [this] { return events_.events.size() == 4; }));
  EXPECT_THAT(events_.events,
              ElementsAre("descriptor", "confinement auth_agent", "status ok", "connect 2"));
  EXPECT_EQ(events_.calls.size(), ipc::kMaxCalls);
  EXPECT_TRUE(events_.ready);
  EXPECT_THAT(events_.violations, IsEmpty());
}

// Its filter may refuse a call before the first exchange.
TEST_F(HonestAgentTest, MayReportARefusedCallBeforeHello) {
  ipc::SyscallRefused refused;
  refused.set_number(41);
  agent_->Send(MessageType::kSyscallRefused, refused);
  ASSERT_TRUE(RunUntil(*loop_, [this] { return !events_.events.empty(); }));
  EXPECT_THAT(events_.events, ElementsAre("refused 41"));
}

TEST_F(HonestAgentTest, GetsItsSocketAndTheSupervisorKeepsNone) {
  BecomeServing();
  const int before = CountDescriptors();
  ipc::ConnectAnswer answer;
  answer.set_id(7);
  answer.set_outcome(ipc::OUTCOME_OK);
  ASSERT_TRUE(channel_->AnswerConnect(answer, UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC))));
  const auto received = agent_->Receive<ipc::ConnectAnswer>(MessageType::kConnectAnswer);
  ASSERT_TRUE(received.has_value());
  EXPECT_EQ(received->first.id(), 7U);
  EXPECT_TRUE(received->second.valid());
  EXPECT_EQ(CountDescriptors(), before + 1) << "the agent's copy alone";
}

TEST_F(HonestAgentTest, LeavingIsToldAsUnavailable) {
  BecomeServing();
  agent_->Leave();
  ASSERT_TRUE(RunUntil(*loop_, [this] { return !events_.violations.empty(); }));
  EXPECT_THAT(events_.violations, ElementsAre(ErrorCode::kUnavailable));
}

}  // namespace
}  // namespace baokms::supervisor
