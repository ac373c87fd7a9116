// The spawner's end of the channel, played honestly and not.

#include "supervisor/children/children.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/event_loop.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/child_descriptors.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "tests/supervisor/children/peer.h"
#include "tests/supervisor/children/recording_events.h"
#include "tests/supervisor/status/fake_observers.h"
#include "tests/supervisor/workers/run_loop.h"

namespace baokms::supervisor {
namespace {

using ipc::MessageType;
using std::chrono::milliseconds;
using ::testing::_;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::NiceMock;

constexpr ChildKey kAgent = kAgentKey;
constexpr ChildKey kWorker = WorkerKey(0);

ipc::Spawned Started(const ChildKey& key, std::int64_t pid) {
  ipc::Spawned spawned;
  spawned.set_role(key.role);
  spawned.set_slot(key.slot);
  spawned.set_pid(pid);
  return spawned;
}

ipc::Exited Ended(const ChildKey& key, std::int64_t pid, int status) {
  ipc::Exited exited;
  exited.set_role(key.role);
  exited.set_slot(key.slot);
  exited.set_pid(pid);
  exited.set_wait_status(status);
  return exited;
}

class ChildrenTest : public ::testing::Test {
 protected:
  ChildrenTest() { Create(0); }

  void Create(pid_t spawner_pid) {
    ipc::ChannelPair pair = ipc::MakeChannelPair().value();
    spawner_ = std::make_unique<Peer>(std::move(pair.second));
    children_ = Children::Create(*loop_, log_, metrics_, events_,
                                 {.channel = std::move(pair.first), .pid = spawner_pid},
                                 {.started =
                                      [this](const ChildKey& key, UniqueFd) {
                                        Tell("started", key, std::to_string(children_->PidOf(key)));
                                      },
                                  .ended =
                                      [this](const ChildKey& key, const ExitStatus& exit_status) {
                                        Tell("ended", key, CauseOf(exit_status));
                                      },
                                  .spawner_gone =
                                      [this] {
                                        gone_ = true;
                                      }})
                    .value();
  }

  void Tell(const std::string& what, const ChildKey& key, const std::string& detail) {
    told_.push_back(what + " " + ProcessName(key) + " " + detail);
  }

  // Until a Spawn for this child has come; false when none did.
  bool AwaitSpawn(const ChildKey& key) {
    return RunUntil(*loop_, [&] {
      const auto spawn = spawner_->Receive<ipc::Spawn>(MessageType::kSpawn);
      return spawn && spawn->first.role() == key.role && spawn->first.slot() == key.slot &&
             spawn->second.valid();
    });
  }

  // An agent and a worker with the pids 100 and 200.
  void StartBoth() {
    children_->Start(1);
    spawner_->SayHello(ipc::ROLE_SPAWNER);
    ASSERT_TRUE(AwaitSpawn(kWorker));
    ASSERT_TRUE(AwaitSpawn(kAgent));
    spawner_->Send(MessageType::kSpawned, Started(kAgent, 100));
    spawner_->Send(MessageType::kSpawned, Started(kWorker, 200));
    ASSERT_TRUE(RunUntil(*loop_, [this] { return told_.size() == 2; }));
    told_.clear();
  }

  void AwaitTold(std::size_t count) {
    ASSERT_TRUE(RunUntil(*loop_, [&] { return told_.size() == count; }));
  }

  std::unique_ptr<EventLoop> loop_ = EventLoop::Create().value();
  FakeLog log_;
  NiceMock<MockMetrics> metrics_;
  RecordingEvents<> events_;
  std::unique_ptr<Peer> spawner_;
  std::unique_ptr<Children> children_;
  std::vector<std::string> told_;
  bool gone_ = false;
};

TEST_F(ChildrenTest, StartsNothingBeforeTheSpawnerSaysHello) {
  children_->Start(1);
  RunFor(*loop_, milliseconds(5));
  EXPECT_FALSE(spawner_->Receive<ipc::Spawn>(MessageType::kSpawn).has_value());
  spawner_->SayHello(ipc::ROLE_SPAWNER);
  EXPECT_TRUE(AwaitSpawn(kWorker));
}

TEST_F(ChildrenTest, GivesEachChildAChannelOfItsOwn) {
  StartBoth();
  EXPECT_EQ(children_->PidOf(kAgent), 100);
  EXPECT_EQ(children_->PidOf(kWorker), 200);
  EXPECT_EQ(log_.Of("process.started").size(), 2U);
}

TEST_F(ChildrenTest, TellsWhyAChildEndedAndStartsItAgain) {
  StartBoth();
  EXPECT_CALL(metrics_,
              ProcessRestarted(std::string_view("worker_0"), std::string_view("sigsegv")));
  spawner_->Send(MessageType::kExited, Ended(kWorker, 200, SIGSEGV));
  AwaitTold(1);
  EXPECT_THAT(told_, ElementsAre("ended worker_0 sigsegv"));
  EXPECT_EQ(children_->PidOf(kWorker), 0);
  EXPECT_TRUE(AwaitSpawn(kWorker));
}

TEST_F(ChildrenTest, LogsWhichProcessEnded) {
  StartBoth();
  spawner_->Send(MessageType::kExited, Ended(kWorker, 200, SIGSEGV));
  AwaitTold(1);
  ASSERT_EQ(log_.Of("process.ended").size(), 1U);
  EXPECT_THAT(log_.Of("process.ended").front().fields,
              Contains(std::pair<std::string, LogValue>("child_pid", std::int64_t{200})));
}

TEST_F(ChildrenTest, CountsACallThatTheKernelKilledFor) {
  StartBoth();
  EXPECT_CALL(metrics_, SeccompViolation(std::string_view("worker_0"), std::string_view("killed")));
  spawner_->Send(MessageType::kExited, Ended(kWorker, 200, SIGSYS));
  AwaitTold(1);
}

struct SpawnerEnd {
  int signal;
  const char* cause;
};

TEST_F(ChildrenTest, TellsHowTheSpawnerEnded) {
  EXPECT_CALL(metrics_, SeccompViolation(std::string_view("spawner"), std::string_view("killed")));
  for (const SpawnerEnd& end : {SpawnerEnd{SIGKILL, "sigkill"}, SpawnerEnd{SIGSYS, "sigsys"}}) {
    const pid_t spawner = ::fork();
    if (spawner == 0) {
      ::pause();
    }
    Create(spawner);
    spawner_->SayHello(ipc::ROLE_SPAWNER);
    spawner_->Leave();
    ASSERT_EQ(::kill(spawner, end.signal), 0);
    gone_ = false;
    ASSERT_TRUE(RunUntil(*loop_, [this] { return gone_; }));
    ASSERT_FALSE(log_.Of("process.ended").empty());
    const LogRecord record = log_.Of("process.ended").back();
    EXPECT_EQ(FakeLog::Text(record, "child"), "spawner");
    EXPECT_EQ(FakeLog::Text(record, "cause"), end.cause);
  }
}

TEST_F(ChildrenTest, TellsThatTheSpawnerBrokeTheProtocol) {
  StartBoth();
  spawner_->Send(MessageType::kSpawned, Started(kWorker, 300));
  ASSERT_TRUE(RunUntil(*loop_, [this] { return gone_; }));
  ASSERT_EQ(log_.Of("process.breach").size(), 1U);
  EXPECT_EQ(FakeLog::Text(log_.Of("process.breach").front(), "child"), "spawner");
  EXPECT_TRUE(log_.Of("process.ended").empty());
}

TEST_F(ChildrenTest, BelievesARefusedCallWhenTheExitCodeSaysSoToo) {
  StartBoth();
  EXPECT_CALL(metrics_, SeccompViolation(std::string_view("worker_0"), std::string_view("openat")));
  children_->NoteRefusedSyscall(kWorker, 257);
  spawner_->Send(MessageType::kExited, Ended(kWorker, 200, 97 << 8));
  AwaitTold(1);
  EXPECT_THAT(told_, ElementsAre("ended worker_0 syscall_openat"));

  children_->NoteRefusedSyscall(kAgent, 257);
  spawner_->Send(MessageType::kExited, Ended(kAgent, 100, 0));
  AwaitTold(2);
  EXPECT_EQ(told_.back(), "ended auth_agent exit_0");
}

TEST_F(ChildrenTest, WaitsLongerAfterEachQuickDeath) {
  StartBoth();
  std::int64_t pid = 200;
  const BootTime begin = BootNow();
  for (int restart = 0; restart < 4; ++restart) {  // at once, then 50, 100 and 200 ms
    spawner_->Send(MessageType::kExited, Ended(kWorker, pid, SIGSEGV));
    ASSERT_TRUE(AwaitSpawn(kWorker));
    spawner_->Send(MessageType::kSpawned, Started(kWorker, ++pid));
    ASSERT_TRUE(RunUntil(*loop_, [&] { return children_->PidOf(kWorker) == pid; }));
  }
  EXPECT_GE(BootNow() - begin, milliseconds(350));
}

TEST_F(ChildrenTest, RestartsAtOnceWhatHasServed) {
  StartBoth();
  std::int64_t pid = 200;
  const BootTime begin = BootNow();
  for (int death = 0; death < 10; ++death) {
    children_->NoteServing(kWorker);
    spawner_->Send(MessageType::kExited, Ended(kWorker, pid, SIGKILL));
    ASSERT_TRUE(AwaitSpawn(kWorker));
    spawner_->Send(MessageType::kSpawned, Started(kWorker, ++pid));
    ASSERT_TRUE(RunUntil(*loop_, [&] { return children_->PidOf(kWorker) == pid; }));
  }
  EXPECT_LT(BootNow() - begin, std::chrono::seconds(5));  // with back-off it would be 11
}

TEST_F(ChildrenTest, WaitsBeforeItRestartsWhatHasServedFarTooOften) {
  StartBoth();
  std::int64_t pid = 200;
  const BootTime begin = BootNow();
  for (int death = 0; death < 15; ++death) {
    children_->NoteServing(kWorker);
    spawner_->Send(MessageType::kExited, Ended(kWorker, pid, SIGSEGV));
    ASSERT_TRUE(AwaitSpawn(kWorker));
    spawner_->Send(MessageType::kSpawned, Started(kWorker, ++pid));
    ASSERT_TRUE(RunUntil(*loop_, [&] { return children_->PidOf(kWorker) == pid; }));
  }
  EXPECT_GE(BootNow() - begin, milliseconds(750));  // 50, 100, 200 and 400 ms
}

TEST_F(ChildrenTest, TriesAgainWhenTheSpawnerCannotStartOne) {
  children_->Start(1);
  spawner_->SayHello(ipc::ROLE_SPAWNER);
  ASSERT_TRUE(AwaitSpawn(kWorker));
  EXPECT_CALL(metrics_,
              ProcessRestarted(std::string_view("worker_0"), std::string_view("not_started")));
  ipc::Spawned failed = Started(kWorker, 0);
  failed.set_error(EAGAIN);
  spawner_->Send(MessageType::kSpawned, failed);
  EXPECT_TRUE(AwaitSpawn(kWorker));
  EXPECT_TRUE(told_.empty()) << "a child that never was did not end";
}

TEST_F(ChildrenTest, StartsNoneAgainOnceItStops) {
  StartBoth();
  children_->StopRestarting();
  spawner_->Send(MessageType::kExited, Ended(kWorker, 200, 0));
  AwaitTold(1);
  RunFor(*loop_, milliseconds(80));
  EXPECT_FALSE(spawner_->Receive<ipc::Spawn>(MessageType::kSpawn).has_value());
}

TEST_F(ChildrenTest, TellsThatAChildWasKilledBecauseItDidNotAnswer) {
  StartBoth();
  children_->KillUnresponsive(kAgent);
  ASSERT_TRUE(RunUntil(
      *loop_, [this] { return spawner_->Receive<ipc::Kill>(MessageType::kKill).has_value(); }));
  EXPECT_CALL(metrics_,
              ProcessRestarted(std::string_view("auth_agent"), std::string_view("unresponsive")));
  EXPECT_CALL(metrics_,
              ProcessRestarted(std::string_view("auth_agent"), std::string_view("sigkill")));
  spawner_->Send(MessageType::kExited, Ended(kAgent, 100, SIGKILL));
  AwaitTold(1);
  EXPECT_THAT(told_, ElementsAre("ended auth_agent unresponsive"));
  ASSERT_TRUE(AwaitSpawn(kAgent));
  spawner_->Send(MessageType::kSpawned, Started(kAgent, 101));
  AwaitTold(2);
  spawner_->Send(MessageType::kExited, Ended(kAgent, 101, SIGKILL));
  AwaitTold(3);
  EXPECT_EQ(told_.back(), "ended auth_agent sigkill");
}

TEST_F(ChildrenTest, KillsByRoleAndSlot) {
  StartBoth();
  children_->Kill(kWorker);
  const auto kill = spawner_->Receive<ipc::Kill>(MessageType::kKill);
  ASSERT_TRUE(kill.has_value());
  EXPECT_EQ(kill->first.role(), ipc::ROLE_WORKER);
}

TEST_F(ChildrenTest, NoticesThatTheSpawnerIsGone) {
  StartBoth();
  spawner_->Leave();
  EXPECT_TRUE(RunUntil(*loop_, [this] { return gone_; }));
}

struct Violation {
  const char* name;
  std::function<void(Peer&)> commit;
};

void PrintTo(const Violation& violation, std::ostream* stream) {
  *stream << violation.name;
}

const Violation kViolations[] = {
    {"second Hello",
     [](Peer& spawner) {
       spawner.SayHello(ipc::ROLE_SPAWNER);
     }},
    {"Spawned without a Spawn",
     [](Peer& spawner) {
       spawner.Send(MessageType::kSpawned, Started(kWorker, 300));
     }},
    {"Spawned of a slot that does not exist",
     [](Peer& spawner) {
       spawner.Send(MessageType::kSpawned, Started({ipc::ROLE_WORKER, 9}, 300));
     }},
    {"Exited of another pid",
     [](Peer& spawner) {
       spawner.Send(MessageType::kExited, Ended(kWorker, 201, 0));
     }},
    {"Exited of a slot that does not exist",
     [](Peer& spawner) {
       spawner.Send(MessageType::kExited, Ended({ipc::ROLE_WORKER, 9}, 200, 0));
     }},
    {"Exited twice",
     [](Peer& spawner) {
       spawner.Send(MessageType::kExited, Ended(kWorker, 200, 0));
       spawner.Send(MessageType::kExited, Ended(kWorker, 200, 0));
     }},
    {"worker's message",
     [](Peer& spawner) {
       spawner.Send(MessageType::kConnectRequest, ipc::ConnectRequest());
     }},
    {"descriptor where none belongs",
     [](Peer& spawner) {
       spawner.Send(MessageType::kExited, Ended(kWorker, 200, 0), spawner.fd());
     }},
    {"bytes behind a message",
     [](Peer& spawner) {
       spawner.SendRaw(MessageType::kExited, Ended(kWorker, 200, 0).SerializeAsString() + '\0');
     }},
};

class HostileSpawnerTest : public ChildrenTest, public ::testing::WithParamInterface<Violation> {};

TEST_P(HostileSpawnerTest, IsGivenUp) {
  StartBoth();
  const int before = CountDescriptors();
  GetParam().commit(*spawner_);
  EXPECT_TRUE(RunUntil(*loop_, [this] { return gone_; }));
  EXPECT_LE(CountDescriptors(), before);
}

INSTANTIATE_TEST_SUITE_P(Violations, HostileSpawnerTest, ::testing::ValuesIn(kViolations));

TEST_F(ChildrenTest, GivesUpASpawnerOfAnotherVersionOrRole) {
  spawner_->SayHello(ipc::ROLE_WORKER);
  EXPECT_TRUE(RunUntil(*loop_, [this] { return gone_; }));
}

}  // namespace
}  // namespace baokms::supervisor
