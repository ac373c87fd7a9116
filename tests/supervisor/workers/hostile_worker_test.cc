// A worker that was taken over and breaks the protocol: the supervisor must survive each violation,
// have that worker killed, give its work to another one and leak no descriptor.

#include <chrono>
#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ipc/limits.h"
#include "proto/ipc.pb.h"
#include "tests/supervisor/workers/fake_worker.h"

namespace baokms::supervisor {
namespace {

using ipc::MessageType;
using std::chrono::milliseconds;
using ::testing::ElementsAre;

struct Violation {
  const char* name;
  enum class When : std::uint8_t { kAtOnce, kAfterHello, kReady, kAsked } when;
  // `id` is that of the request the worker was given, with kAsked.
  std::function<void(FakeWorker&, std::uint64_t id)> commit;
};

void PrintTo(const Violation& violation, std::ostream* stream) {
  *stream << violation.name;
}

ipc::DecryptAnswer GoodAnswer(std::uint64_t id) {
  ipc::DecryptAnswer answer;
  answer.set_id(id);
  answer.set_outcome(ipc::OUTCOME_OK);
  answer.set_plaintext("secret");
  return answer;
}

ipc::OpenBaoCall GoodCall() {
  ipc::OpenBaoCall call;
  call.set_operation(ipc::OPERATION_TRANSIT_DECRYPT);
  call.set_outcome(ipc::OUTCOME_OK);
  return call;
}

std::string Raw(MessageType type, const std::string& body) {
  return std::string{static_cast<char>(type), 0} + body;
}

std::string Body(const google::protobuf::MessageLite& message) {
  return message.SerializeAsString();
}

using When = Violation::When;

const Violation kViolations[] = {
    {"answer before Hello", When::kAtOnce,
     [](FakeWorker& w, auto) {
       w.AnswerDecrypt(1, "x");
     }},
    {"connect request before Hello", When::kAtOnce,
     [](FakeWorker& w, auto) {
       w.Send(MessageType::kConnectRequest, ipc::ConnectRequest());
     }},
    {"key table answer before Hello", When::kAtOnce,
     [](FakeWorker& w, auto) {
       w.Acknowledge(1);
     }},
    {"Hello of another version", When::kAtOnce,
     [](FakeWorker& w, auto) {
       w.SayHello(ipc::kProtocolVersion + 1, ipc::ROLE_WORKER);
     }},
    {"Hello of another role", When::kAtOnce,
     [](FakeWorker& w, auto) {
       w.SayHello(ipc::kProtocolVersion, ipc::ROLE_AUTH_AGENT);
     }},
    {"empty datagram without a type", When::kAtOnce,
     [](FakeWorker& w, auto) {
       w.SendBytes("\x02");
     }},
    {"type that does not exist", When::kAtOnce,
     [](FakeWorker& w, auto) {
       w.SendBytes(std::string("\xff\xff", 2));
     }},
    {"type of another channel", When::kReady,
     [](FakeWorker& w, auto) {
       w.Send(MessageType::kSpawned, ipc::Spawned());
     }},
    {"message that only the supervisor sends", When::kReady,
     [](FakeWorker& w, auto) {
       w.Send(MessageType::kDecryptRequest, ipc::DecryptRequest());
     }},
    {"Pong without a Ping", When::kReady,
     [](FakeWorker& w, auto) {
       w.Send(MessageType::kPong, ipc::Pong());
     }},
    {"Pong with content", When::kReady,
     [](FakeWorker& w, auto) {
       w.SendBytes(std::string{static_cast<char>(MessageType::kPong), 0, 8, 1});
     }},
    {"second Hello", When::kReady,
     [](FakeWorker& w, auto) {
       w.SayHello();
     }},
    {"answer before the table is acknowledged", When::kAfterHello,
     [](FakeWorker& w, auto) {
       w.AnswerDecrypt(1, "x");
     }},
    {"acknowledgement of a table never sent", When::kAfterHello,
     [](FakeWorker& w, auto) {
       w.Acknowledge(2);
     }},
    {"second acknowledgement", When::kReady,
     [](FakeWorker& w, auto) {
       w.Acknowledge(1);
     }},
    {"acknowledgement without outcome", When::kAfterHello,
     [](FakeWorker& w, auto) {
       w.Acknowledge(1, ipc::OUTCOME_UNSPECIFIED);
     }},
    {"answer to nothing", When::kReady,
     [](FakeWorker& w, auto) {
       w.AnswerDecrypt(99, "x");
     }},
    {"answer with id 0", When::kAsked,
     [](FakeWorker& w, auto) {
       w.AnswerDecrypt(0, "x");
     }},
    {"answer of another kind", When::kAsked,
     [](FakeWorker& w, std::uint64_t id) {
       ipc::ProbeDecryptAnswer answer;
       answer.set_id(id);
       answer.set_outcome(ipc::OUTCOME_OK);
       w.Send(MessageType::kProbeDecryptAnswer, answer);
     }},
    {"answer without outcome", When::kAsked,
     [](FakeWorker& w, std::uint64_t id) {
       ipc::DecryptAnswer answer = GoodAnswer(id);
       answer.clear_outcome();
       w.Send(MessageType::kDecryptAnswer, answer);
     }},
    {"answer with an outcome that does not exist", When::kAsked,
     [](FakeWorker& w, std::uint64_t id) {
       ipc::DecryptAnswer answer = GoodAnswer(id);
       answer.set_outcome(static_cast<ipc::Outcome>(99));
       w.Send(MessageType::kDecryptAnswer, answer);
     }},
    {"answer with too many calls", When::kAsked,
     [](FakeWorker& w, std::uint64_t id) {
       ipc::DecryptAnswer answer = GoodAnswer(id);
       for (std::size_t i = 0; i <= ipc::kMaxCalls; ++i) {
         *answer.add_calls() = GoodCall();
       }
       w.Send(MessageType::kDecryptAnswer, answer);
     }},
    {"call without operation", When::kAsked,
     [](FakeWorker& w, std::uint64_t id) {
       ipc::DecryptAnswer answer = GoodAnswer(id);
       answer.add_calls()->set_outcome(ipc::OUTCOME_OK);
       w.Send(MessageType::kDecryptAnswer, answer);
     }},
    {"call with a request id that could break a log line", When::kAsked,
     [](FakeWorker& w, std::uint64_t id) {
       ipc::DecryptAnswer answer = GoodAnswer(id);
       *answer.add_calls() = GoodCall();
       answer.mutable_calls(0)->set_request_id("a\nb");
       w.Send(MessageType::kDecryptAnswer, answer);
     }},
    {"call with an overlong request id", When::kAsked,
     [](FakeWorker& w, std::uint64_t id) {
       ipc::DecryptAnswer answer = GoodAnswer(id);
       *answer.add_calls() = GoodCall();
       answer.mutable_calls(0)->set_request_id(std::string(ipc::kMaxRequestId + 1, 'a'));
       w.Send(MessageType::kDecryptAnswer, answer);
     }},
    {"oversized answer", When::kAsked,
     [](FakeWorker& w, std::uint64_t id) {
       ipc::DecryptAnswer answer = GoodAnswer(id);
       answer.set_plaintext(std::string(ipc::kMaxKmsBody, 'x'));
       w.SendBytes(Raw(MessageType::kDecryptAnswer, Body(answer)));
     }},
    {"trailing bytes", When::kAsked,
     [](FakeWorker& w, std::uint64_t id) {
       w.SendBytes(Raw(MessageType::kDecryptAnswer, Body(GoodAnswer(id)) + "\x01"));
     }},
    {"unknown field", When::kAsked,
     [](FakeWorker& w, std::uint64_t id) {
       w.SendBytes(Raw(MessageType::kDecryptAnswer, Body(GoodAnswer(id)) + "\xf8\x01\x01"));
     }},
    {"body that is no message", When::kReady,
     [](FakeWorker& w, auto) {
       w.SendBytes(Raw(MessageType::kDecryptAnswer, "\xff\xff\xff"));
     }},
    {"descriptor where none belongs", When::kAsked,
     [](FakeWorker& w, std::uint64_t id) {
       w.Send(MessageType::kDecryptAnswer, GoodAnswer(id), w.fd());
     }},
    {"descriptor that is missing", When::kReady,
     [](FakeWorker& w, auto) {
       ipc::ProcDescriptor message;
       message.set_kind(ipc::ProcDescriptor::KIND_STATUS);
       w.Send(MessageType::kProcDescriptor, message);
     }},
    {"two descriptors", When::kReady,
     [](FakeWorker& w, auto) {
       w.SendWithDescriptors(MessageType::kProcDescriptor, 2);
     }},
    {"eight descriptors", When::kReady,
     [](FakeWorker& w, auto) {
       w.SendWithDescriptors(MessageType::kProcDescriptor, 8);
     }},
    {"descriptor of no kind", When::kReady,
     [](FakeWorker& w, auto) {
       w.SendWithDescriptors(MessageType::kProcDescriptor, 1);
     }},
    {"the same descriptor twice", When::kReady,
     [](FakeWorker& w, auto) {
       ipc::ProcDescriptor message;
       message.set_kind(ipc::ProcDescriptor::KIND_STATUS);
       w.Send(MessageType::kProcDescriptor, message, w.fd());
       w.Send(MessageType::kProcDescriptor, message, w.fd());
     }},
    {"confinement reported twice", When::kReady,
     [](FakeWorker& w, auto) {
       w.Send(MessageType::kConfinementReport, ipc::ConfinementReport());
       w.Send(MessageType::kConfinementReport, ipc::ConfinementReport());
     }},
    {"log record without an event", When::kReady,
     [](FakeWorker& w, auto) {
       w.Send(MessageType::kLogRecord, ipc::LogRecord());
     }},
    {"log record with too many fields", When::kReady,
     [](FakeWorker& w, auto) {
       ipc::LogRecord record;
       record.set_event("x");
       for (std::size_t i = 0; i <= ipc::kMaxLogFields; ++i) {
         record.add_fields()->set_key("k");
       }
       w.Send(MessageType::kLogRecord, record);
     }},
    {"log record with an overlong text", When::kReady,
     [](FakeWorker& w, auto) {
       ipc::LogRecord record;
       record.set_event("x");
       record.add_fields()->set_key("k");
       record.mutable_fields(0)->set_text(std::string(ipc::kMaxLogText + 1, 'x'));
       w.Send(MessageType::kLogRecord, record);
     }},
    {"token status with a word that is none", When::kReady,
     [](FakeWorker& w, auto) {
       ipc::TokenStatus status;
       status.set_last_outcome(ipc::OUTCOME_OK);
       status.set_status("OK\n");
       w.Send(MessageType::kTokenStatus, status);
     }},
};

class HostileWorkerTest : public WorkerSetTestBase,
                          public ::testing::WithParamInterface<Violation> {
 protected:
  // Brings the worker to where the violation is to happen; returns the id of its request.
  std::uint64_t Prepare(FakeWorker& worker, When when) {
    if (when == When::kAfterHello) {
      worker.SayHello();
      RunFor(*loop_, milliseconds(3));
    } else if (when != When::kAtOnce) {
      worker.BecomeReady(*loop_);
    }
    if (when != When::kAsked) {
      return 0;
    }
    Decrypt("in flight");
    return AwaitDecrypt(worker).id();
  }
};

TEST_P(HostileWorkerTest, IsKilledAndHarmsNobody) {
  const int descriptors_before = CountDescriptors();
  {
    FakeWorker bad(set_, 0);
    const std::uint64_t id = Prepare(bad, GetParam().when);
    GetParam().commit(bad, id);
    ASSERT_TRUE(RunUntil(*loop_, [&] { return !events_.violations.empty(); }));
    EXPECT_THAT(events_.violations, ElementsAre(0U));
    EXPECT_FALSE(set_.Workers()[0].ready);
    EXPECT_TRUE(replies_.empty());

    // Whatever it says after that is not heard.
    bad.AnswerDecrypt(id, "forged");
    RunFor(*loop_, milliseconds(5));
    EXPECT_EQ(events_.violations.size(), 1U);
    EXPECT_TRUE(replies_.empty());
  }
  set_.Detached(0, WorkerEnd::kKilled);

  FakeWorker good(set_, 0);
  good.BecomeReady(*loop_);
  if (GetParam().when != When::kAsked) {
    Decrypt("in flight");
  }
  good.AnswerDecrypt(AwaitDecrypt(good).id(), "served");
  ASSERT_TRUE(AwaitReplies(1));
  EXPECT_EQ(replies_[0].answer.plaintext(), "served");
  good.Die();
  set_.Detached(0, WorkerEnd::kKilled);
  RunFor(*loop_, milliseconds(5));
  events_.descriptors.clear();
  EXPECT_EQ(CountDescriptors(), descriptors_before);
}

INSTANTIATE_TEST_SUITE_P(AllViolations,
                         HostileWorkerTest,
                         ::testing::ValuesIn(kViolations),
                         [](const ::testing::TestParamInfo<Violation>& violation) {
                           std::string name = violation.param.name;
                           for (char& character : name) {
                             character = character == ' ' ? '_' : character;
                           }
                           return name;
                         });

class SlowWorkerTest : public WorkerSetTestBase {
 protected:
  SlowWorkerTest()
      : WorkerSetTestBase(
            {.hello = milliseconds(30), .key_table = milliseconds(30), .exit = milliseconds(30)}) {}
};

TEST_F(SlowWorkerTest, WithoutHelloIsKilled) {
  FakeWorker worker(set_, 0);
  EXPECT_TRUE(RunUntil(*loop_, [&] { return !events_.violations.empty(); }));
}

TEST_F(SlowWorkerTest, WithoutAcknowledgementIsKilled) {
  FakeWorker worker(set_, 0);
  worker.SayHello();
  EXPECT_TRUE(RunUntil(*loop_, [&] { return !events_.violations.empty(); }));
}

TEST_F(SlowWorkerTest, ThatIgnoresANewTableIsKilledAndNotWaitedFor) {
  FakeWorker worker(set_, 0);
  worker.BecomeReady(*loop_);
  bool done = false;
  Publish(2, [&] { done = true; });
  EXPECT_TRUE(RunUntil(*loop_, [&] { return done; }));
  EXPECT_THAT(events_.violations, ElementsAre(0U));
}

TEST_F(SlowWorkerTest, ThatLeavesItsChannelButNotItsProcessIsKilled) {
  FakeWorker worker(set_, 0);
  worker.BecomeReady(*loop_);
  worker.Die();
  EXPECT_TRUE(RunUntil(*loop_, [&] { return !events_.violations.empty(); }));
  RunFor(*loop_, milliseconds(60));
  EXPECT_EQ(events_.violations.size(), 1U);
}

TEST_F(SlowWorkerTest, WhoseChannelSomebodyElseHoldsOpenIsNotWaitedForEither) {
  FakeWorker worker(set_, 0);
  worker.BecomeReady(*loop_);
  Decrypt("a");
  AwaitDecrypt(worker);
  set_.Detached(0, WorkerEnd::kKilled);  // its end of the channel stays open
  FakeWorker other(set_, 1);
  other.BecomeReady(*loop_);
  EXPECT_EQ(AwaitDecrypt(other).ciphertext(), "a");
  EXPECT_TRUE(events_.violations.empty());
}

}  // namespace
}  // namespace baokms::supervisor
