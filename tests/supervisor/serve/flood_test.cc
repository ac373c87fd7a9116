// A child that was taken over and sends one message as fast as it can, for every message that there
// is: the supervisor ends it at the limit in ipc/limits.h, and the others are served meanwhile. The
// log stays readable, and no descriptor is left.

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/unique_fd.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "supervisor/observe/log_stream.h"
#include "supervisor/observe/record_rate.h"
#include "tests/supervisor/children/flood_bodies.h"
#include "tests/supervisor/serve/child_event_fixture.h"

namespace baokms::supervisor {
namespace {

using ipc::MessageType;
using std::chrono::milliseconds;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr ChildKey kOtherWorker = WorkerKey(1);

// Messages between two turns of the supervisor; more do not fit into a socket.
constexpr int kBatch = 200;

struct Flood {
  ipc::Role sender{};
  ipc::MessageLimits limits;
  bool greeted = true;  // it begins after the Hello of its sender
};

std::string NameOf(const Flood& flood) {
  return std::string(flood.sender == ipc::ROLE_WORKER       ? "worker"
                     : flood.sender == ipc::ROLE_AUTH_AGENT ? "agent"
                                                            : "spawner") +
         "_" + std::string(ipc::ToString(flood.limits.type)) +
         (flood.greeted ? "" : "_before_hello");
}

void PrintTo(const Flood& flood, std::ostream* stream) {
  *stream << NameOf(flood);
}

std::vector<Flood> AllFloods() {
  constexpr std::array kSenders = {std::pair(ipc::ROLE_WORKER, ipc::kFromWorker),
                                   std::pair(ipc::ROLE_AUTH_AGENT, ipc::kFromAgent),
                                   std::pair(ipc::ROLE_SPAWNER, ipc::kFromSpawner)};
  std::vector<Flood> floods;
  for (const auto& [role, bit] : kSenders) {
    for (const ipc::MessageLimits& limits : ipc::kMessages) {
      if ((limits.senders & bit) == 0) {
        continue;
      }
      floods.push_back({role, limits, true});
      if (role != ipc::ROLE_SPAWNER) {
        floods.push_back({role, limits, false});
      }
    }
  }
  return floods;
}

// The real log, in a file. A base, because it has to exist before the fixture.
class FiledLog {
 protected:
  // Of all lines so far.
  [[nodiscard]] std::vector<std::string> Lines() const {
    std::string text(static_cast<std::size_t>(::lseek(fd_.get(), 0, SEEK_END)), '\0');
    EXPECT_EQ(::pread(fd_.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      lines.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    return lines;
  }

  UniqueFd fd_{::memfd_create("log", MFD_CLOEXEC)};
  LogStream stream_{LogFormat::kJson, LogLevel::kDebug, Journal(), fd_.get()};
};

class FloodTest : protected FiledLog,
                  public ChildEventFixture,
                  public ::testing::WithParamInterface<Flood> {
 protected:
  FloodTest() : ChildEventFixture(2, stream_) {
    const bool greeted = GetParam().greeted;
    worker_ = greeted || Sender() != kWorker ? Spawned(kWorker, 200) : SpawnedSilent(kWorker, 200);
    other_worker_ = Spawned(kOtherWorker, 201);
    agent_ = greeted || Sender() != kAgent ? Spawned(kAgent, 100) : SpawnedSilent(kAgent, 100);
  }

  static ChildKey Sender() {
    return GetParam().sender == ipc::ROLE_WORKER       ? kWorker
           : GetParam().sender == ipc::ROLE_AUTH_AGENT ? kAgent
                                                       : kSpawnerKey;
  }

  Peer& Attacker() {
    return Sender() == kWorker ? *worker_ : Sender() == kAgent ? *agent_ : *spawner_;
  }

  // Sends what the channel takes at once; returns how many messages that were.
  int SendBatch() {
    const MessageType type = GetParam().limits.type;
    const std::string body = FloodBody(type, GetParam().sender);
    ipc::ProcDescriptor descriptor;
    descriptor.set_kind(ipc::ProcDescriptor::KIND_STATUS);
    int sent = 0;
    for (; sent < kBatch; ++sent) {
      if (type == MessageType::kProcDescriptor) {
        Attacker().Send(type, descriptor, Attacker().fd());
      } else if (!Attacker().SendRaw(type, body)) {
        break;
      }
    }
    return sent;
  }

  // Whether the supervisor has given up the attacker; counts each child it has killed. The agent is
  // not killed because it is silent.
  bool IsEnded() {
    while (agent_->Receive<ipc::Ping>(MessageType::kPing)) {
      agent_->Send(MessageType::kPong, ipc::Pong());
    }
    while (const auto killed = Killed()) {
      killed_.push_back(ProcessName(*killed));
    }
    return spawner_gone_ || !killed_.empty();
  }

  std::unique_ptr<Peer> worker_;
  std::unique_ptr<Peer> other_worker_;
  std::unique_ptr<Peer> agent_;
  std::vector<std::string> killed_;
};

TEST_P(FloodTest, EndsItsSenderAndHarmsNobody) {
  const ipc::FlowLimit limit = GetParam().limits.flow;
  // It never receives an answer.
  const double burst = GetParam().limits.type == MessageType::kConnectRequest
                           ? static_cast<double>(ipc::kMaxUnansweredConnects)
                           : limit.burst;
  const std::string sender = ProcessName(Sender());
  RunFor(*loop_, milliseconds(1));
  const int descriptors = CountDescriptors();
  const auto allowed_descriptors = descriptors + static_cast<int>(ipc::kMaxUnansweredConnects) + 1;
  const BootTime start = BootNow();
  double sent = 0;
  while (!IsEnded()) {
    sent += SendBatch();
    RunFor(*loop_, milliseconds(1));
    EXPECT_LE(CountDescriptors(), allowed_descriptors);
    ASSERT_LT(BootNow() - start, std::chrono::seconds(60)) << sent;
  }
  const std::chrono::duration<double> elapsed = BootNow() - start;
  EXPECT_LE(sent, burst + elapsed.count() * limit.per_second + 3 * kBatch)
      << "what it may send, and what a channel holds";

  // The others are served.
  Ask(*other_worker_, kOpenBao);
  EXPECT_EQ(AwaitAnswer(*other_worker_), ipc::OUTCOME_OK);
  Peer& second = Sender() == kAgent ? *worker_ : *agent_;
  Ask(second, kOpenBao);
  EXPECT_EQ(AwaitAnswer(second), ipc::OUTCOME_OK);

  // It is killed once, and nothing that it says later is heard.
  (void)SendBatch();
  RunFor(*loop_, milliseconds(5));
  (void)IsEnded();
  if (Sender() == kSpawnerKey) {
    EXPECT_TRUE(spawner_gone_);
  } else {
    EXPECT_THAT(killed_, ElementsAre(sender));
    EXPECT_EQ(log_.Of("process.breach").size(), 1U);
  }

  // What it left in the log has its name and its rate.
  const std::vector<std::string> lines = Lines();
  EXPECT_LE(static_cast<double>(lines.size()),
            kChildRecords.burst + elapsed.count() * (kChildRecords.per_second + 1) + 2);
  for (const std::string& line : lines) {
    ASSERT_THAT(line, AnyOf(HasSubstr("\"process\":\"" + sender + "\""),
                            HasSubstr("\"child\":\"" + sender + "\"")));
  }
}

INSTANTIATE_TEST_SUITE_P(EveryMessage,
                         FloodTest,
                         ::testing::ValuesIn(AllFloods()),
                         [](const auto& flood) { return NameOf(flood.param); });

// Receives every answer, so that no limit ends it: an honest worker does the same in an outage.
class ConnectFloodTest : protected FiledLog, public ChildEventFixture {
 protected:
  ConnectFloodTest() : ChildEventFixture(2, stream_) {}

  // Returns how many connections were started.
  int Flood(Peer& child) {
    int started = 0;
    for (std::uint64_t id = 1; id <= 2 * static_cast<int>(ipc::kConnectsStarted.burst); ++id) {
      Ask(child, kOpenBao, id);
      const ipc::Outcome outcome = AwaitAnswer(child);
      EXPECT_THAT(outcome, AnyOf(ipc::OUTCOME_OK, ipc::OUTCOME_CONNECTION_FAILED));
      started += outcome == ipc::OUTCOME_OK ? 1 : 0;
    }
    return started;
  }
};

TEST_F(ConnectFloodTest, LeavesThePortsOfTheNodeToOthers) {
  const std::unique_ptr<Peer> worker = Spawned(kWorker, 200);
  const std::unique_ptr<Peer> other_worker = Spawned(kOtherWorker, 201);
  const std::unique_ptr<Peer> agent = Spawned(kAgent, 100);
  const BootTime start = BootNow();
  int started = Flood(*worker);
  EXPECT_GE(started, static_cast<int>(ipc::kConnectsStarted.burst));
  EXPECT_FALSE(Killed().has_value()) << "an honest worker in an outage";

  // Neither its successor nor anybody else has to do with it.
  SendExited(kWorker, 200);
  const std::unique_ptr<Peer> successor = Spawned(kWorker, 202);
  started += Flood(*successor);
  const std::chrono::duration<double> elapsed = BootNow() - start;
  EXPECT_LE(started,
            ipc::kConnectsStarted.burst + elapsed.count() * ipc::kConnectsStarted.per_second);
  for (Peer* other : {other_worker.get(), agent.get()}) {
    Ask(*other, kOpenBao);
    EXPECT_EQ(AwaitAnswer(*other), ipc::OUTCOME_OK);
  }
}

}  // namespace
}  // namespace baokms::supervisor
