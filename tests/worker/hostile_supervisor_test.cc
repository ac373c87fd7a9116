// A supervisor or an auth agent that was taken over and breaks the protocol: a real worker ends, at
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
#include "tests/openbao/test_pki.h"
#include "tests/worker/setups.h"
#include "tests/worker/worker_fixture.h"
#include "worker/worker.h"

namespace baokms::worker {
namespace {

using namespace std::chrono_literals;
using ipc::ExitCode;
using Type = ipc::MessageType;

// The other ends of a worker's channels, in the hands of an attacker.
class Attacker final {
 public:
  Attacker() {
    ipc::ChannelPair supervisor = ipc::MakeChannelPair().value();
    ipc::ChannelPair spawner = ipc::MakeChannelPair().value();
    static const openbao::TestAuthority authority("worker test");
    session_ = std::make_unique<ipc::ChildSession>(ipc::ROLE_WORKER, std::move(supervisor.second));
    std::unique_ptr<Worker> worker =
        Worker::Prepare(MakeSetup(authority.CertificatePem()), *session_, std::move(spawner.second))
            .value();
    supervisor_ = std::move(supervisor.first);
    spawner_ = std::move(spawner.first);
    StartAgent();
    thread_ = std::thread([this, worker = std::move(worker)] {
      ipc::ConfinementReport confinement;
      confinement.set_filter_name("none");
      ended_ = worker->Run({Open("status"), Open("statm")}, confinement);
    });
  }

  // The worker has to end by now.
  ExitCode Join() {
    thread_.join();
    return ended_;
  }

  [[nodiscard]] int supervisor() const { return supervisor_.get(); }

  [[nodiscard]] int agent() const { return agent_.get(); }

  void CloseSupervisor() { supervisor_.reset(); }

  void CloseAgent() { agent_.reset(); }

  [[nodiscard]] int spawner() const { return spawner_.get(); }

  void CloseSpawner() { spawner_.reset(); }

  // Gives the worker a channel to a new agent, as the spawner does.
  void StartAgent() {
    ipc::ChannelPair agent = ipc::MakeChannelPair().value();
    Send(spawner(), Type::kPeerChannel, ipc::PeerChannel(), agent.second.get());
    agent_ = std::move(agent.first);
  }

  void Send(int channel, Type type, const google::protobuf::MessageLite& message, int fd = -1) {
    SendEncoded(channel, ipc::EncodedMessage::Encode(type, message).value(), fd);
  }

  // Bytes that no encoder of ours makes.
  void SendRaw(int channel, Type type, const std::string& body, const std::vector<int>& fds = {}) {
    const auto number = static_cast<unsigned>(type);
    const std::string bytes =
        std::string{static_cast<char>(number & 0xffU), static_cast<char>(number >> 8U)} + body;
    SendBytes(channel, bytes, fds);
  }

  void SendBytes(int channel, std::string bytes, const std::vector<int>& fds = {}) {
    iovec part{bytes.data(), bytes.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, 256> control{};
    if (!fds.empty()) {
      header.msg_control = control.data();
      header.msg_controllen = CMSG_SPACE(sizeof(int) * fds.size());
      cmsghdr* rights = CMSG_FIRSTHDR(&header);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(sizeof(int) * fds.size());
      std::memcpy(CMSG_DATA(rights), fds.data(), sizeof(int) * fds.size());
    }
    EXPECT_EQ(::sendmsg(channel, &header, MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }

  // The next message of this type; others are skipped.
  template <typename Message>
  Message Await(int channel, Type type) {
    std::vector<std::uint8_t> buffer(ipc::kMaxDatagram);
    for (;;) {
      pollfd waiting{channel, POLLIN, 0};
      if (::poll(&waiting, 1, 5000) != 1) {
        ADD_FAILURE() << "no " << ipc::ToString(type);
        return {};
      }
      const auto datagram = ipc::ReceiveDatagram(channel, buffer).value();
      Message message;
      if (datagram && datagram->type == type) {
        EXPECT_TRUE(
            message.ParseFromArray(datagram->body.data(), static_cast<int>(datagram->body.size())));
        return message;
      }
    }
  }

  void Greet() {
    ipc::HelloAnswer answer;
    answer.set_protocol_version(ipc::kProtocolVersion);
    answer.set_role(ipc::ROLE_SUPERVISOR);
    Send(supervisor(), Type::kHelloAnswer, answer);
  }

  // Gives it a table, so that it is known to serve.
  void ExpectServing(std::uint64_t generation) {
    Send(supervisor(), Type::kKeyTable, MakeTable(generation, 2, 2));
    const auto answer = Await<ipc::KeyTableAnswer>(supervisor(), Type::kKeyTableAnswer);
    EXPECT_EQ(answer.generation(), generation);
    EXPECT_EQ(answer.outcome(), ipc::OUTCOME_OK);
  }

 private:
  static UniqueFd Open(const char* file) {
    return UniqueFd(::open((std::string("/proc/self/") + file).c_str(), O_RDONLY | O_CLOEXEC));
  }

  static void SendEncoded(int channel, const ipc::EncodedMessage& message, int fd) {
    EXPECT_EQ(ipc::SendDatagram(channel, message, fd).value(), ipc::SendState::kSent);
  }

  UniqueFd supervisor_;
  UniqueFd spawner_;
  UniqueFd agent_;
  std::unique_ptr<ipc::ChildSession> session_;  // outlives the worker
  ExitCode ended_ = ExitCode::kStartFailed;
  std::thread thread_;
};

std::size_t OpenDescriptors() {
  const std::filesystem::directory_iterator entries("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

struct Violation {
  const char* name;
  enum class When : std::uint8_t { kAtOnce, kServing } when;
  std::function<void(Attacker&)> commit;
  ExitCode code = ExitCode::kPeerViolation;
};

void PrintTo(const Violation& violation, std::ostream* stream) {
  *stream << violation.name;
}

using When = Violation::When;

ipc::HelloAnswer Hello(std::uint32_t version, ipc::Role role) {
  ipc::HelloAnswer answer;
  answer.set_protocol_version(version);
  answer.set_role(role);
  return answer;
}

ipc::ConnectAnswer Connected(ipc::Outcome outcome) {
  ipc::ConnectAnswer answer;
  answer.set_id(1);
  answer.set_outcome(outcome);
  answer.set_address(1);
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

std::function<void(Attacker&)> SayAsAgent(Type type, std::string body) {
  return [type, body = std::move(body)](Attacker& attacker) {
    attacker.SendRaw(attacker.agent(), type, body);
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

std::string Body(const google::protobuf::MessageLite& message) {
  return message.SerializeAsString();
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
INSTANTIATE_TEST_SUITE_P(Agent, HostilePeerTest, testing::ValuesIn(AgentViolations()));
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
