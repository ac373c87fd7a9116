// The worker's end of a real channel, played by a test, and a place where the supervisor's side
// leaves what it was told.

#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <google/protobuf/message_lite.h>
#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/event_loop.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "supervisor/workers/worker_events.h"
#include "supervisor/workers/worker_set.h"
#include "tests/supervisor/children/recording_events.h"
#include "tests/supervisor/workers/run_loop.h"

namespace baokms::supervisor {

class FakeWorker final {
 public:
  // Attaches itself to `slot`.
  FakeWorker(WorkerSet& set, Slot slot) {
    ipc::ChannelPair pair = ipc::MakeChannelPair().value();
    fd_ = std::move(pair.second);
    EXPECT_TRUE(set.Attach(slot, std::move(pair.first)).has_value());
  }

  void Send(ipc::MessageType type, const google::protobuf::MessageLite& message, int fd = -1) {
    const auto encoded = ipc::EncodedMessage::Encode(type, message);
    (void)ipc::SendDatagram(fd_.get(), encoded.value(), fd).has_value();
  }

  void SendBytes(const std::string& bytes) {
    (void)!::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  // With this many descriptors attached.
  void SendWithDescriptors(ipc::MessageType type, std::size_t count) {
    std::string bytes{static_cast<char>(type), 0};
    iovec part{bytes.data(), bytes.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 8)> control{};
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int) * count);
    const std::vector<int> fds(count, fd_.get());
    std::memcpy(CMSG_DATA(rights), fds.data(), sizeof(int) * count);
    (void)!::sendmsg(fd_.get(), &header, MSG_NOSIGNAL);
  }

  // The next message, if it is of this type and has come already; other types fail the test.
  template <typename Message>
  std::optional<Message> Receive(ipc::MessageType type) {
    auto datagram = ipc::ReceiveDatagram(fd_.get(), buffer_);
    if (!datagram || !*datagram) {
      return std::nullopt;
    }
    EXPECT_EQ(ipc::ToString((*datagram)->type), ipc::ToString(type));
    Message message;
    EXPECT_TRUE(message.ParseFromArray((*datagram)->body.data(),
                                       static_cast<int>((*datagram)->body.size())));
    return message;
  }

  template <typename Message>
  Message Await(EventLoop& loop, ipc::MessageType type) {
    std::optional<Message> message;
    RunUntil(loop, [&] { return (message = Receive<Message>(type)).has_value(); });
    EXPECT_TRUE(message.has_value()) << ipc::ToString(type);
    return message.value_or(Message());
  }

  bool HasMessage() {
    char byte = 0;
    return ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
  }

  void SayHello() { SayHello(ipc::kProtocolVersion, ipc::ROLE_WORKER); }

  void SayHello(std::uint32_t version, ipc::Role role) {
    ipc::Hello hello;
    hello.set_protocol_version(version);
    hello.set_role(role);
    Send(ipc::MessageType::kHello, hello);
  }

  void Acknowledge(std::uint64_t generation, ipc::Outcome outcome = ipc::OUTCOME_OK) {
    ipc::KeyTableAnswer answer;
    answer.set_generation(generation);
    answer.set_outcome(outcome);
    answer.set_active_verified(true);
    Send(ipc::MessageType::kKeyTableAnswer, answer);
  }

  // Everything up to being ready.
  void BecomeReady(EventLoop& loop) {
    SayHello();
    Await<ipc::HelloAnswer>(loop, ipc::MessageType::kHelloAnswer);
    const auto table = Await<ipc::KeyTable>(loop, ipc::MessageType::kKeyTable);
    Acknowledge(table.generation());
    RunFor(loop, std::chrono::milliseconds(3));
  }

  void AnswerDecrypt(std::uint64_t id, const std::string& plaintext) {
    ipc::DecryptAnswer answer;
    answer.set_id(id);
    answer.set_outcome(ipc::OUTCOME_OK);
    answer.set_plaintext(plaintext);
    Send(ipc::MessageType::kDecryptAnswer, answer);
  }

  // The process is gone: its end of the channel is closed.
  void Die() { fd_.reset(); }

  [[nodiscard]] int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(ipc::kMaxDatagram);
};

class RecordingWorkerEvents final : public RecordingEvents<WorkerEvents> {
 public:
  void OnViolation(Slot slot, const Error& why) override {
    violations.push_back(slot);
    last_violation = why.ToString();
  }

  void OnSilent(Slot slot) override { silent.push_back(slot); }

  void OnReady(const ChildProcess& from) override { ready.push_back(from); }

  void OnTokenStatus(const ChildProcess& /*from*/, const ipc::TokenStatus& status) override {
    token_words.push_back(status.status());
  }

  std::vector<Slot> violations;
  std::vector<Slot> silent;
  std::string last_violation;
  std::vector<ChildProcess> ready;
  std::vector<std::string> token_words;
};

// A loop, a worker set with two slots and a published key table without entries.
class WorkerSetTestBase : public ::testing::Test {
 protected:
  explicit WorkerSetTestBase(SessionTimeouts limits = {}) : set_(*loop_, events_, 2, limits) {
    Publish(1);
  }

  void Publish(
      std::uint64_t generation, std::function<void()> done = [] {}) {
    ipc::KeyTable table;
    table.set_generation(generation);
    set_.PublishKeyTable(table, std::move(done));
    RunFor(*loop_, std::chrono::milliseconds(2));
  }

  RequestId Decrypt(const std::string& ciphertext,
                    WorkerChoice choice = {},
                    BootTime within = std::chrono::seconds(5)) {
    ipc::DecryptRequest request;
    request.set_ciphertext(ciphertext);
    request.set_deadline_ns((BootNow() + within).count());
    return set_.Submit(request, choice, [this](Reply<ipc::DecryptAnswer> reply) {
      replies_.push_back(std::move(reply));
    });
  }

  // The only worker a test has in mind when it does not say which.
  ipc::DecryptRequest AwaitDecrypt(FakeWorker& worker) {
    return worker.Await<ipc::DecryptRequest>(*loop_, ipc::MessageType::kDecryptRequest);
  }

  bool AwaitReplies(std::size_t count) {
    return RunUntil(*loop_, [&] { return replies_.size() >= count; });
  }

  std::unique_ptr<EventLoop> loop_ = EventLoop::Create().value();
  RecordingWorkerEvents events_;
  WorkerSet set_;
  std::vector<Reply<ipc::DecryptAnswer>> replies_;
};

}  // namespace baokms::supervisor
