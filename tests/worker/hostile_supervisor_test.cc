// A supervisor or a spawner that was taken over and breaks the protocol: a real worker ends, at
// once and with the right code, and leaks no descriptor. What is no violation leaves it serving.

#include <sys/socket.h>
#include <fcntl.h>
#include <poll.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/child_descriptors.h"
#include "ipc/child_process.h"
#include "ipc/child_session.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "ipc/token_message.h"
#include "proto/ipc.pb.h"
#include "tests/worker/attacker.h"
#include "tests/worker/setups.h"
#include "tests/worker/worker_fixture.h"
#include "worker/worker.h"

namespace baokms::worker {
namespace {

using namespace std::chrono_literals;

ipc::HelloAnswer Hello(std::uint32_t version, ipc::Role role) {
  ipc::HelloAnswer answer;
  answer.set_protocol_version(version);
  answer.set_role(role);
  return answer;
}

ipc::Tunables Tuned(std::uint32_t log_level, std::int64_t refresh_before_ns) {
  ipc::Tunables tunables;
  tunables.set_log_level(log_level);
  tunables.set_refresh_before_ns(refresh_before_ns);
  return tunables;
}

// A violation that is one message on the supervisor's channel.
std::function<void(Attacker&)> Say(Type type, std::string body) {
  return [type, body = std::move(body)](Attacker& attacker) {
    attacker.SendRaw(attacker.supervisor(), type, body);
  };
}

// An answer to a ConnectRequest with a descriptor of this kind.
std::function<void(Attacker&)> Hand(int domain, int type) {
  return [domain, type](Attacker& attacker) {
    const UniqueFd socket(::socket(domain, type | SOCK_CLOEXEC, 0));
    attacker.Send(attacker.supervisor(), Type::kConnectAnswer, Connected(ipc::OUTCOME_OK),
                  socket.get());
  };
}

std::vector<Violation> SupervisorViolations() {
  return {
      {"closes its channel at once", When::kAtOnce, [](Attacker& a) { a.CloseSupervisor(); },
       ExitCode::kSupervisorGone},
      {"closes its channel later", When::kServing, [](Attacker& a) { a.CloseSupervisor(); },
       ExitCode::kSupervisorGone},
      {"request before its greeting", When::kAtOnce,
       Say(Type::kDecryptRequest, Body(MakeDecrypt(1, 1)))},
      {"table before its greeting", When::kAtOnce, Say(Type::kKeyTable, Body(MakeTable(1, 1, 1)))},
      {"greeting of another version", When::kAtOnce,
       Say(Type::kHelloAnswer, Body(Hello(ipc::kProtocolVersion + 1, ipc::ROLE_SUPERVISOR)))},
      {"greeting of another role", When::kAtOnce,
       Say(Type::kHelloAnswer, Body(Hello(ipc::kProtocolVersion, ipc::ROLE_AUTH_AGENT)))},
      {"tunables before its greeting", When::kAtOnce, Say(Type::kTunables, Body(Tuned(1, 1)))},
      {"ping before its greeting", When::kAtOnce, Say(Type::kPing, "")},
      {"log level that is none", When::kServing, Say(Type::kTunables, Body(Tuned(4, 1)))},
      {"refresh without a time", When::kServing, Say(Type::kTunables, Body(Tuned(1, 0)))},
      {"refresh before time began", When::kServing, Say(Type::kTunables, Body(Tuned(1, -1)))},
      {"refresh earlier than any lease is long", When::kServing,
       Say(Type::kTunables, Body(Tuned(1, ipc::kMaxLeaseSeconds * 1'000'000'000 + 1)))},
      {"second greeting", When::kServing,
       Say(Type::kHelloAnswer, Body(Hello(ipc::kProtocolVersion, ipc::ROLE_SUPERVISOR)))},
      {"type number that nobody has", When::kServing, Say(static_cast<Type>(4000), "")},
      {"token in the supervisor's channel", When::kServing,
       Say(Type::kToken, std::string(ipc::kTokenHeaderSize + 8, 'x'))},
      {"a worker's own message", When::kServing, Say(Type::kTokenStatus, "")},
      {"an answer as a request", When::kServing, Say(Type::kDecryptAnswer, "")},
      {"a spawner's message", When::kServing, Say(Type::kSpawn, "")},
      {"bytes that are no message", When::kServing, Say(Type::kEncryptRequest, "\xff\xff\xff")},
      {"field that the message does not have", When::kServing,
       Say(Type::kCancelRequest, std::string("\x7a\x01x", 3))},
      {"trailing bytes", When::kServing, Say(Type::kCancelRequest, std::string("\x08\x01\x00", 3))},
      {"body over its maximum", When::kServing,
       Say(Type::kCancelRequest, std::string(ipc::kMaxControlBody + 1, '\0'))},
      {"datagram without a type", When::kServing,
       [](Attacker& a) {
         a.SendBytes(a.supervisor(), "x");
       }},
      {"request id 0", When::kServing, Say(Type::kDecryptRequest, Body(MakeDecrypt(0, 1)))},
      {"request id in use", When::kServing,
       [](Attacker& a) {
         a.Send(a.supervisor(), Type::kDecryptRequest, MakeDecrypt(5, 1));
         a.Send(a.supervisor(), Type::kDecryptRequest, MakeDecrypt(5, 1));
       }},
      {"descriptor with a request", When::kServing,
       [](Attacker& a) {
         a.SendRaw(a.supervisor(), Type::kCancelRequest, "", {a.supervisor()});
       }},
      {"two descriptors", When::kServing,
       [](Attacker& a) {
         a.SendRaw(a.supervisor(), Type::kConnectAnswer, Body(Connected(ipc::OUTCOME_OK)),
                   {a.supervisor(), a.agent()});
       }},
      {"connection that nobody asked for", When::kServing,
       Hand(AF_INET, SOCK_STREAM | SOCK_NONBLOCK)},
      {"failure that nobody asked for", When::kServing,
       Say(Type::kConnectAnswer, Body(Connected(ipc::OUTCOME_DNS_FAILED)))},
      {"success without a descriptor", When::kServing,
       Say(Type::kConnectAnswer, Body(Connected(ipc::OUTCOME_OK)))},
      {"unix socket for a connection", When::kServing, Hand(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK)},
      {"datagram socket for a connection", When::kServing,
       Hand(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK)},
      {"socket that blocks", When::kServing, Hand(AF_INET, SOCK_STREAM)},
  };
}

std::vector<Violation> SpawnerViolations() {
  return {
      {"spawner sends no channel", When::kServing,
       [](Attacker& a) {
         a.Send(a.spawner(), Type::kPeerChannel, ipc::PeerChannel());
       }},
      {"spawner names a slot that cannot exist", When::kServing,
       [](Attacker& a) {
         ipc::PeerChannel peer;
         peer.set_slot(ipc::kMaxWorkers);
         a.Send(a.spawner(), Type::kPeerChannel, peer, a.agent());
       }},
      {"spawner sends a token", When::kServing,
       [](Attacker& a) {
         a.SendRaw(a.spawner(), Type::kToken, std::string(ipc::kTokenHeaderSize + 8, '\0'));
       }},
      {"spawner passes two channels", When::kServing,
       [](Attacker& a) {
         a.SendRaw(a.spawner(), Type::kPeerChannel, "", {a.agent(), a.supervisor()});
       }},
  };
}

class HostilePeerTest : public testing::TestWithParam<Violation> {};

TEST_P(HostilePeerTest, EndsTheWorkerAndLeaksNothing) {
  const std::size_t descriptors = OpenDescriptors();
  {
    Attacker attacker;
    const auto hello = attacker.Await<ipc::Hello>(attacker.supervisor(), Type::kHello);
    EXPECT_EQ(hello.role(), ipc::ROLE_WORKER);
    if (GetParam().when == When::kServing) {
      attacker.Greet();
      attacker.ExpectServing(1);
    }
    GetParam().commit(attacker);
    EXPECT_EQ(attacker.Join(), GetParam().code);
  }
  EXPECT_EQ(OpenDescriptors(), descriptors);
}

INSTANTIATE_TEST_SUITE_P(Supervisor, HostilePeerTest, testing::ValuesIn(SupervisorViolations()));
INSTANTIATE_TEST_SUITE_P(Spawner, HostilePeerTest, testing::ValuesIn(SpawnerViolations()));

TEST(HonestPeerTest, WorkerIntroducesItselfCompletely) {
  Attacker supervisor;
  supervisor.Await<ipc::Hello>(supervisor.supervisor(), Type::kHello);
  for (const auto kind : {ipc::ProcDescriptor::KIND_STATUS, ipc::ProcDescriptor::KIND_STATM}) {
    EXPECT_EQ(supervisor.Await<ipc::ProcDescriptor>(supervisor.supervisor(), Type::kProcDescriptor)
                  .kind(),
              kind);
  }
  EXPECT_EQ(
      supervisor.Await<ipc::ConfinementReport>(supervisor.supervisor(), Type::kConfinementReport)
          .filter_name(),
      "none");
  const auto login = supervisor.Await<ipc::LoginRequest>(supervisor.agent(), Type::kLoginRequest);
  EXPECT_EQ(login.request_id().size(), ipc::kLoginRequestIdSize);
  supervisor.CloseSupervisor();
  EXPECT_EQ(supervisor.Join(), ExitCode::kSupervisorGone);
}

TEST(HonestPeerTest, TakesEveryTunableInItsRange) {
  Attacker supervisor;
  supervisor.Greet();
  supervisor.ExpectServing(1);
  for (std::uint32_t level = 0; level <= 3; ++level) {
    supervisor.Send(supervisor.supervisor(), Type::kTunables, Tuned(level, 1));
  }
  supervisor.Send(supervisor.supervisor(), Type::kTunables,
                  Tuned(1, ipc::kMaxLeaseSeconds * 1'000'000'000));
  supervisor.ExpectServing(2);
  supervisor.CloseSupervisor();
  EXPECT_EQ(supervisor.Join(), ExitCode::kSupervisorGone);
}

TEST(HonestPeerTest, OutlivesAnAgentAndAsksTheNextOneForWhatItStillWaitsFor) {
  Attacker peers;
  peers.Greet();
  peers.ExpectServing(1);
  const auto first = peers.Await<ipc::LoginRequest>(peers.agent(), Type::kLoginRequest);
  peers.CloseAgent();
  peers.ExpectServing(2);
  peers.StartAgent();
  const auto again = peers.Await<ipc::LoginRequest>(peers.agent(), Type::kLoginRequest);
  EXPECT_EQ(again.SerializeAsString(), first.SerializeAsString());
  // Answered, it is not asked again.
  ipc::LoginFailed failed;
  failed.set_request_id(again.request_id());
  failed.set_outcome(ipc::OUTCOME_SEALED);
  failed.set_status("error");
  peers.Send(peers.agent(), Type::kLoginFailed, failed);
  EXPECT_EQ(peers.Await<ipc::TokenStatus>(peers.supervisor(), Type::kTokenStatus).last_outcome(),
            ipc::OUTCOME_SEALED);
  peers.StartAgent();
  peers.ExpectServing(3);
  std::vector<std::uint8_t> buffer(ipc::kMaxDatagram);
  EXPECT_FALSE(ipc::ReceiveDatagram(peers.agent(), buffer).value().has_value());
  peers.CloseSupervisor();
  EXPECT_EQ(peers.Join(), ExitCode::kSupervisorGone);
}

TEST(HonestPeerTest, OutlivesTheSpawner) {
  Attacker peers;
  peers.Greet();
  peers.CloseSpawner();
  peers.ExpectServing(1);
  peers.CloseSupervisor();
  EXPECT_EQ(peers.Join(), ExitCode::kSupervisorGone);
}

TEST(HonestPeerTest, AnswersPings) {
  Attacker supervisor;
  supervisor.Greet();
  supervisor.ExpectServing(1);
  for (int i = 0; i < 3; ++i) {
    supervisor.Send(supervisor.supervisor(), Type::kPing, ipc::Ping());
    supervisor.Await<ipc::Pong>(supervisor.supervisor(), Type::kPong);
  }
  supervisor.CloseSupervisor();
  EXPECT_EQ(supervisor.Join(), ExitCode::kSupervisorGone);
}

TEST(HonestPeerTest, LiesThatAreNoViolationsLeaveTheWorkerServing) {
  Attacker liar;
  liar.Greet();
  liar.ExpectServing(1);
  // An old table, a version that goes back, an active key of another second: refused, not obeyed.
  for (ipc::KeyTable lie : {MakeTable(1, 2, 2), MakeTable(2, 2, 1)}) {
    liar.Send(liar.supervisor(), Type::kKeyTable, lie);
    EXPECT_EQ(liar.Await<ipc::KeyTableAnswer>(liar.supervisor(), Type::kKeyTableAnswer).outcome(),
              ipc::OUTCOME_STALE_TABLE);
  }
  ipc::KeyTable foreign = MakeTable(3, 2, 2);
  foreign.mutable_versions()->set_created_unix(1, kCreated);
  liar.Send(liar.supervisor(), Type::kKeyTable, foreign);
  EXPECT_EQ(liar.Await<ipc::KeyTableAnswer>(liar.supervisor(), Type::kKeyTableAnswer).outcome(),
            ipc::OUTCOME_KEY_ID_UNKNOWN);
  // A token that nobody asked for, and cancellations of nothing.
  liar.SendRaw(liar.agent(), Type::kToken, std::string(ipc::kTokenHeaderSize + 8, '\0'));
  ipc::CancelRequest cancel;
  cancel.set_id(12345);
  liar.Send(liar.supervisor(), Type::kCancelRequest, cancel);
  liar.ExpectServing(4);
  // Requests that are refused before OpenBao would hear of them.
  ipc::DecryptRequest unknown = MakeDecrypt(7, 3);
  liar.Send(liar.supervisor(), Type::kDecryptRequest, unknown);
  EXPECT_EQ(liar.Await<ipc::DecryptAnswer>(liar.supervisor(), Type::kDecryptAnswer).outcome(),
            ipc::OUTCOME_KEY_ID_UNKNOWN);
  liar.CloseSupervisor();
  EXPECT_EQ(liar.Join(), ExitCode::kSupervisorGone);
}

}  // namespace
}  // namespace baokms::worker
