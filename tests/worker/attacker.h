// A real worker on a thread, the other ends of whose channels are in the hands of an attacker.

#pragma once

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

inline std::size_t OpenDescriptors() {
  const std::filesystem::directory_iterator entries("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

struct Violation {
  const char* name;
  enum class When : std::uint8_t { kAtOnce, kServing } when;
  std::function<void(Attacker&)> commit;
  ExitCode code = ExitCode::kPeerViolation;
};

inline void PrintTo(const Violation& violation, std::ostream* stream) {
  *stream << violation.name;
}

using When = Violation::When;

inline ipc::ConnectAnswer Connected(ipc::Outcome outcome) {
  ipc::ConnectAnswer answer;
  answer.set_id(1);
  answer.set_outcome(outcome);
  answer.set_address(1);
  return answer;
}

inline std::string Body(const google::protobuf::MessageLite& message) {
  return message.SerializeAsString();
}

}  // namespace baokms::worker
