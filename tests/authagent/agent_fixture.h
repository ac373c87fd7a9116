// An agent in this process, with the other ends of its channels in the hands of a test.

#pragma once

#include <sys/socket.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "authagent/agent.h"
#include "common/base/clock.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/child_descriptors.h"
#include "ipc/child_session.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"
#include "tests/authagent/jwt_text.h"

namespace baokms::authagent {

using ipc::MessageType;

// A certificate is all the client asks of a CA bundle here: no TLS takes place.
inline std::string SelfSignedPem() {
  const std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, void (*)(X509*)> cert(X509_new(), X509_free);
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(cert.get()), 3600);
  X509_set_pubkey(cert.get(), key.get());
  X509_sign(cert.get(), key.get(), EVP_sha256());
  const std::unique_ptr<BIO, int (*)(BIO*)> out(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_X509(out.get(), cert.get());
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

struct Received {
  MessageType type{};
  std::string body;
  UniqueFd fd;
};

// The other end of one of the agent's channels.
class FakePeer final {
 public:
  explicit FakePeer(UniqueFd channel) : channel_(std::move(channel)) {}

  [[nodiscard]] int fd() const { return channel_.get(); }

  void Close() { channel_.reset(); }

  void Send(MessageType type, const google::protobuf::MessageLite& message, int attached = -1) {
    ASSERT_TRUE(
        ipc::SendDatagram(channel_.get(), *ipc::EncodedMessage::Encode(type, message), attached)
            .has_value());
  }

  void SendRaw(const std::string& bytes) {
    ASSERT_GE(::send(channel_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), 0);
  }

  // The next message; nothing when the agent is gone or silent for `patience`.
  std::optional<Received> Receive(int patience_ms = 10'000) {
    pollfd waiting{channel_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, patience_ms) != 1) {
      return std::nullopt;
    }
    std::vector<std::uint8_t> buffer(ipc::kMaxDatagram);
    auto datagram = ipc::ReceiveDatagram(channel_.get(), buffer);
    if (!datagram || !*datagram) {
      return std::nullopt;
    }
    return Received{(*datagram)->type,
                    std::string((*datagram)->body.begin(), (*datagram)->body.end()),
                    std::move((*datagram)->fd)};
  }

  // Skips messages of other types.
  std::optional<Received> ReceiveOf(MessageType type) {
    for (;;) {
      std::optional<Received> received = Receive();
      if (!received || received->type == type) {
        return received;
      }
    }
  }

 private:
  UniqueFd channel_;
};

class AgentHostileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/agent_XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    PutJwt(JwtText("{\"exp\":" + std::to_string(UnixNow() + 3600) + "}"));
  }

  void TearDown() override {
    supervisor_.reset();
    if (thread_.joinable()) {
      thread_.join();
    }
    std::filesystem::remove_all(root_);
  }

  void PutJwt(const std::string& content) const {
    const std::string next = root_ / "next";
    std::ofstream(next) << content;
    EXPECT_EQ(::chmod(next.c_str(), 0600), 0);
    std::filesystem::rename(next, root_ / "jwt");
  }

  [[nodiscard]] ipc::AgentSetup GoodSetup() const {
    ipc::AgentSetup setup;
    ipc::OpenBaoSetup& openbao = *setup.mutable_openbao();
    ipc::EndpointSetup& endpoint = *openbao.add_endpoints();
    endpoint.set_host("bao.example");
    endpoint.set_port(8200);
    openbao.set_ca_pem(SelfSignedPem());
    openbao.set_server_name("bao.example");
    setup.set_workers(2);
    setup.set_auth_mount("auth/jwt");
    setup.set_login_timeout_ns(BootTime(std::chrono::seconds(5)).count());
    setup.set_longest_backoff_ns(BootTime(std::chrono::milliseconds(200)).count());
    setup.set_log_level(1);
    setup.set_login_budget_per_minute(1000);
    setup.mutable_jwt_file()->set_path(root_ / "jwt");
    setup.mutable_jwt()->set_role("kms");
    return setup;
  }

  void Start() { Start(GoodSetup()); }

  void Start(const ipc::AgentSetup& setup) {
    ipc::ChannelPair supervisor = *ipc::MakeChannelPair();
    supervisor_.emplace(std::move(supervisor.second));
    ipc::ChannelPair spawner = *ipc::MakeChannelPair();
    spawner_.emplace(std::move(spawner.second));
    for (std::uint32_t slot = 0; slot < 2; ++slot) {
      workers_.push_back(StartWorker(slot));
    }
    auto session =
        std::make_unique<ipc::ChildSession>(ipc::ROLE_AUTH_AGENT, std::move(supervisor.first));
    auto agent = Agent::Prepare(setup, *session, std::move(spawner.first));
    ASSERT_TRUE(agent.has_value()) << agent.error().ToString();
    thread_ =
        std::thread([this, session = std::move(session), agent = std::move(*agent)]() mutable {
          ipc::ProcFiles proc{Open("/proc/self/status"), Open("/proc/self/statm")};
          ipc::ConfinementReport report;
          report.set_filter_name("test");
          end_ = agent->Run(std::move(proc), report);
          agent.reset();
          session.reset();
        });
  }

  static UniqueFd Open(const char* path) { return UniqueFd(::open(path, O_RDONLY | O_CLOEXEC)); }

  // Gives the agent a channel to a new worker in this slot, as the spawner does; returns the
  // worker's end.
  FakePeer StartWorker(std::uint32_t slot) {
    ipc::ChannelPair pair = *ipc::MakeChannelPair();
    constexpr int kOn = 1;
    EXPECT_EQ(::setsockopt(pair.first.get(), SOL_SOCKET, SO_PASSCRED, &kOn, sizeof kOn), 0);
    ipc::PeerChannel peer;
    peer.set_slot(slot);
    spawner_->Send(MessageType::kPeerChannel, peer, pair.first.get());
    return FakePeer(std::move(pair.second));
  }

  // Plays the first exchange as a supervisor should.
  void Greet() {
    ASSERT_EQ(supervisor_->Receive()->type, MessageType::kHello);
    for (int i = 0; i < 2; ++i) {
      const std::optional<Received> proc = supervisor_->Receive();
      ASSERT_EQ(proc->type, MessageType::kProcDescriptor);
      ASSERT_TRUE(proc->fd.valid());
    }
    ASSERT_EQ(supervisor_->Receive()->type, MessageType::kConfinementReport);
    supervisor_->Send(MessageType::kHelloAnswer, GoodAnswer());
    ASSERT_TRUE(supervisor_->ReceiveOf(MessageType::kAgentStatus).has_value());
  }

  static ipc::HelloAnswer GoodAnswer() {
    ipc::HelloAnswer answer;
    answer.set_protocol_version(ipc::kProtocolVersion);
    answer.set_role(ipc::ROLE_SUPERVISOR);
    return answer;
  }

  static ipc::LoginRequest Request() {
    ipc::LoginRequest request;
    request.set_request_id(std::string(16, 'r'));
    request.set_deadline_ns((BootNow() + std::chrono::seconds(5)).count());
    return request;
  }

  ipc::ExitCode End() {
    if (thread_.joinable()) {
      thread_.join();
    }
    return end_;
  }

  void ExpectRecord(std::string_view event) {
    ipc::LogRecord message;
    while (message.event() != event) {
      const std::optional<Received> record = supervisor_->ReceiveOf(MessageType::kLogRecord);
      ASSERT_TRUE(record.has_value());
      ASSERT_TRUE(message.ParseFromString(record->body));
    }
  }

  // A login that ends because the broker says that there is no connection.
  void ExpectServed(std::size_t slot) {
    workers_[slot].Send(MessageType::kLoginRequest, Request());
    const std::optional<Received> asked = supervisor_->ReceiveOf(MessageType::kConnectRequest);
    ASSERT_TRUE(asked.has_value());
    ipc::ConnectRequest request;
    ASSERT_TRUE(request.ParseFromString(asked->body));
    EXPECT_EQ(request.endpoint(), 0U);
    std::optional<Received> answer;
    for (int tries = 0; tries < 10 && !answer; ++tries) {
      ipc::ConnectAnswer refused;
      refused.set_id(request.id());
      refused.set_outcome(ipc::OUTCOME_CONNECTION_FAILED);
      supervisor_->Send(MessageType::kConnectAnswer, refused);
      answer = workers_[slot].Receive(500);
      if (!answer) {
        const std::optional<Received> again = supervisor_->ReceiveOf(MessageType::kConnectRequest);
        ASSERT_TRUE(again.has_value());
        ASSERT_TRUE(request.ParseFromString(again->body));
      }
    }
    ASSERT_TRUE(answer.has_value());
    ASSERT_EQ(answer->type, MessageType::kLoginFailed);
    ipc::LoginFailed failed;
    ASSERT_TRUE(failed.ParseFromString(answer->body));
    EXPECT_EQ(failed.outcome(), ipc::OUTCOME_CONNECTION_FAILED);
    EXPECT_EQ(failed.request_id(), std::string(16, 'r'));
  }

  std::filesystem::path root_;
  std::optional<FakePeer> supervisor_;
  std::optional<FakePeer> spawner_;
  std::vector<FakePeer> workers_;
  std::thread thread_;
  ipc::ExitCode end_ = ipc::ExitCode::kStartFailed;
};

inline std::string Header(MessageType type) {
  const auto number = static_cast<std::uint16_t>(type);
  return {static_cast<char>(number & 0xffU), static_cast<char>(number >> 8U)};
}

}  // namespace baokms::authagent
