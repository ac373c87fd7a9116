// The supervisor's side of all children with every channel real, and the processes at their other
// ends played by the test.

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/event_loop.h"
#include "common/base/log.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "supervisor/broker/broker.h"
#include "supervisor/children/children.h"
#include "supervisor/observe/child_records.h"
#include "supervisor/serve/child_event_handler.h"
#include "supervisor/serve/credential_status.h"
#include "supervisor/serve/login_budget.h"
#include "supervisor/workers/worker_set.h"
#include "tests/supervisor/children/peer.h"
#include "tests/supervisor/status/fake_observers.h"
#include "tests/supervisor/workers/run_loop.h"

namespace baokms::supervisor {

inline constexpr ChildKey kAgent = kAgentKey;
inline constexpr ChildKey kWorker = WorkerKey(0);

// Endpoint 0 is OpenBao's, endpoint 1 that of the identity provider.
inline constexpr std::uint32_t kOpenBao = 0;
inline constexpr std::uint32_t kIdentityProvider = 1;
inline constexpr std::uint32_t kNobodys = 2;

inline constexpr std::size_t kLogins = 2;

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
    caused.Write(record);
    EXPECT_EQ(FakeLog::Text(record, "child"), process);
  }

  std::vector<std::string> lines;
  FakeLog caused;
};

// The spawner has said Hello, and is asked for an agent and `workers` workers.
class ChildEventFixture : public ::testing::Test {
 protected:
  // `child_log` receives what children cause; it must outlive the fixture.
  ChildEventFixture(std::uint32_t workers, ChildLog& child_log)
      : events_{{.loop = *loop_,
                 .broker = *broker_,
                 .openbao_endpoints = kIdentityProvider,
                 .login_budget = login_budget_,
                 .credential = credential_,
                 .log = log_,
                 .metrics = metrics_,
                 .processes = processes_,
                 .child_log = child_log,
                 .worker_usable = [] {},
                 .start_failed =
                     [this](const ChildKey& key, const ipc::StartFailure& failure) {
                       start_failures_.emplace_back(key, failure.step());
                     }}},
        workers_(*loop_, events_, workers) {
    ipc::ChannelPair pair = ipc::MakeChannelPair().value();
    spawner_ = std::make_unique<Peer>(std::move(pair.second));
    children_ =
        Children::Create(
            *loop_, log_, metrics_, events_, {.channel = std::move(pair.first)},
            {.started = [this](const ChildKey& key,
                               UniqueFd channel) { events_.OnStarted(key, std::move(channel)); },
             .ended = [this](const ChildKey& key,
                             const ExitStatus& status) { events_.OnEnded(key, status); },
             .spawner_gone =
                 [this] {
                   spawner_gone_ = true;
                 }})
            .value();
    events_.Connect(workers_, *children_);
    children_->Start(workers);
    spawner_->SayHello(ipc::ROLE_SPAWNER);
  }

  // Plays the spawner: the child's end of its channel, before its Hello.
  std::unique_ptr<Peer> SpawnedSilent(const ChildKey& key, std::int64_t pid) {
    std::unique_ptr<Peer> child;
    EXPECT_TRUE(RunUntil(*loop_, [&] {
      auto spawn = spawner_->Receive<ipc::Spawn>(ipc::MessageType::kSpawn);
      if (!spawn || spawn->first.role() != key.role || spawn->first.slot() != key.slot) {
        return false;
      }
      child = std::make_unique<Peer>(std::move(spawn->second));
      return true;
    }));
    receipts_.erase(child.get());
    ipc::Spawned spawned;
    spawned.set_role(key.role);
    spawned.set_slot(key.slot);
    spawned.set_pid(pid);
    spawner_->Send(ipc::MessageType::kSpawned, spawned);
    return child;
  }

  // The same after its Hello was answered.
  std::unique_ptr<Peer> Spawned(const ChildKey& key, std::int64_t pid) {
    std::unique_ptr<Peer> child = SpawnedSilent(key, pid);
    child->SayHello(key.role);
    EXPECT_TRUE(RunUntil(*loop_, [&] {
      return child->Receive<ipc::HelloAnswer>(ipc::MessageType::kHelloAnswer).has_value();
    }));
    return child;
  }

  void SendExited(const ChildKey& key, std::int64_t pid) {
    ipc::Exited exited;
    exited.set_role(key.role);
    exited.set_slot(key.slot);
    exited.set_pid(pid);
    spawner_->Send(ipc::MessageType::kExited, exited);
  }

  void Ask(Peer& child, std::uint32_t endpoint, std::uint64_t id = 1) {
    ipc::ConnectRequest request;
    request.set_receipt(receipts_[&child]);
    request.set_id(id);
    request.set_endpoint(endpoint);
    child.Send(ipc::MessageType::kConnectRequest, request);
  }

  // The answer's outcome; a socket has to be there with OUTCOME_OK and no other.
  ipc::Outcome AwaitAnswer(Peer& child) {
    ipc::Outcome outcome = ipc::OUTCOME_UNSPECIFIED;
    EXPECT_TRUE(RunUntil(*loop_, [&] {
      const auto answer = child.Receive<ipc::ConnectAnswer>(ipc::MessageType::kConnectAnswer);
      if (answer) {
        outcome = answer->first.outcome();
        receipts_[&child] = answer->first.receipt();
        EXPECT_EQ(answer->second.valid(), outcome == ipc::OUTCOME_OK);
      }
      return answer.has_value();
    }));
    return outcome;
  }

  // Which child the spawner was told to kill, if any.
  std::optional<ChildKey> Killed() {
    const auto kill = spawner_->Receive<ipc::Kill>(ipc::MessageType::kKill);
    return kill ? std::optional(ChildKey{kill->first.role(), kill->first.slot()}) : std::nullopt;
  }

  std::unique_ptr<EventLoop> loop_ = EventLoop::Create().value();
  FakeLog log_;
  std::vector<std::pair<ChildKey, std::string>> start_failures_;
  ::testing::NiceMock<MockMetrics> metrics_;
  // Nobody listens on port 1: a socket that is still connecting is all that is asked for.
  std::unique_ptr<Broker> broker_ =
      Broker::Create(
          *loop_, metrics_, {{"127.0.0.1", 1}, {"127.0.0.1", 1}}, std::chrono::milliseconds(500))
          .value();
  LoginBudget login_budget_{kLogins};
  CredentialStatus credential_{AuthMethod::kJwt};
  ProcessTable processes_;
  ChildEventHandler events_;
  WorkerSet workers_;
  bool spawner_gone_ = false;
  std::map<const Peer*, std::uint64_t> receipts_;  // of the latest answers
  std::unique_ptr<Peer> spawner_;
  std::unique_ptr<Children> children_;
};

}  // namespace baokms::supervisor
