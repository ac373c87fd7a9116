#include "ipc/link.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/base/event_loop.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"

namespace baokms::ipc {
namespace {

using std::chrono::seconds;

class LinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
    ASSERT_TRUE(loop);
    loop_ = std::move(*loop);
    Result<ChannelPair> pair = MakeChannelPair();
    ASSERT_TRUE(pair);
    peer_ = std::move(pair->second);
    Result<std::unique_ptr<Link>> link = Link::Create(
        *loop_, std::move(pair->first), LinkKind::kGeneral,
        [this](Datagram datagram) -> Status {
          body_ = datagram.body;
          types_.push_back(datagram.type);
          if (stop_after_ == types_.size()) {
            loop_->Stop();
          }
          return verdict_;
        },
        [this](const Error& error) {
          closed_ = error.code();
          loop_->Stop();
        });
    ASSERT_TRUE(link);
    link_ = std::move(*link);
    loop_->After(seconds(20), [this] { loop_->Stop(); });  // a lost event fails the test
  }

  void SendFromPeer(MessageType type) {
    const Result<EncodedMessage> message = EncodedMessage::Encode(type, Hello());
    ASSERT_TRUE(SendDatagram(peer_.get(), *message, -1));
  }

  std::unique_ptr<EventLoop> loop_;
  UniqueFd peer_;
  std::unique_ptr<Link> link_;
  std::vector<MessageType> types_;
  std::span<std::uint8_t> body_;
  std::size_t stop_after_ = 1;
  Status verdict_;
  std::optional<ErrorCode> closed_;
};

TEST_F(LinkTest, DeliversInOrderAndThenTheEnd) {
  stop_after_ = 0;
  SendFromPeer(MessageType::kHello);
  SendFromPeer(MessageType::kHelloAnswer);
  peer_.reset();
  ASSERT_TRUE(loop_->Run());
  EXPECT_EQ(types_, (std::vector{MessageType::kHello, MessageType::kHelloAnswer}));
  EXPECT_EQ(closed_, ErrorCode::kUnavailable);
}

TEST_F(LinkTest, ClosesOnAViolationAndHearsNothingMore) {
  verdict_ = Error(ErrorCode::kProtocolViolation, "violation");
  stop_after_ = 0;
  SendFromPeer(MessageType::kHello);
  SendFromPeer(MessageType::kHelloAnswer);
  ASSERT_TRUE(loop_->Run());
  EXPECT_EQ(types_.size(), 1U);
  EXPECT_EQ(closed_, ErrorCode::kProtocolViolation);
}

TEST_F(LinkTest, WipesEachDatagramAfterItsHandler) {
  EncryptRequest request;
  request.set_plaintext("a secret that must not stay");
  const Result<EncodedMessage> message =
      EncodedMessage::Encode(MessageType::kEncryptRequest, request);
  ASSERT_TRUE(SendDatagram(peer_.get(), *message, -1));
  ASSERT_TRUE(loop_->Run());
  ASSERT_FALSE(body_.empty());
  for (const std::uint8_t byte : body_) {
    EXPECT_EQ(byte, 0);
  }
}

TEST_F(LinkTest, QueuesForASlowPeerAndLosesNothing) {
  constexpr int kMessages = 400;
  LogRecord record;
  record.set_event(std::string(4000, 'e'));
  std::thread sender([&] {
    for (int i = 0; i < kMessages; ++i) {
      ASSERT_TRUE(link_->Send(MessageType::kLogRecord, record));
    }
  });
  sender.join();
  int received = 0;
  std::vector<std::uint8_t> buffer(kMaxDatagram);
  std::function<void()> drain = [&] {
    for (;;) {
      const Result<std::optional<Datagram>> datagram = ReceiveDatagram(peer_.get(), buffer);
      ASSERT_TRUE(datagram);
      if (!datagram->has_value()) {
        break;
      }
      ++received;
    }
    if (received == kMessages) {
      loop_->Stop();
    } else {
      loop_->After(std::chrono::milliseconds(1), drain);
    }
  };
  loop_->Post(drain);
  ASSERT_TRUE(loop_->Run());
  EXPECT_EQ(received, kMessages);
}

TEST_F(LinkTest, StopsQueueingAtTheMaximum) {
  LogRecord record;
  record.set_event(std::string(8000, 'e'));
  std::size_t accepted = 0;
  while (link_->Send(MessageType::kLogRecord, record)) {
    accepted += 8000;
    ASSERT_LT(accepted, 2 * kMaxQueuedBytes);
  }
  EXPECT_GT(accepted, kMaxQueuedBytes / 2);
}

}  // namespace
}  // namespace baokms::ipc
