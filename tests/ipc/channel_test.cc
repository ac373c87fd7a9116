#include "ipc/channel.h"

#include <sys/socket.h>
#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/key_versions.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"
#include "tests/base/freed_memory.h"

namespace baokms::ipc {
namespace {

std::size_t OpenDescriptors() {
  std::size_t count = 0;
  DIR* directory = ::opendir("/proc/self/fd");
  while (::readdir(directory) != nullptr) {
    ++count;
  }
  ::closedir(directory);
  return count;
}

class ChannelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<ChannelPair> pair = MakeChannelPair();
    ASSERT_TRUE(pair);
    pair_ = std::move(*pair);
  }

  // Sends raw bytes with any number of descriptors, as a broken peer would.
  void SendRaw(const std::string& bytes, std::size_t descriptors) {
    iovec part{const_cast<char*>(bytes.data()), bytes.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 8)> control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (descriptors > 0) {
      header.msg_control = control.data();
      header.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors);
      cmsghdr* rights = CMSG_FIRSTHDR(&header);
      ASSERT_NE(rights, nullptr);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(sizeof(int) * descriptors);
      for (std::size_t i = 0; i < descriptors; ++i) {
        const int fd = 0;
        std::memcpy(CMSG_DATA(rights) + i * sizeof(int), &fd, sizeof fd);
      }
    }
    ASSERT_EQ(::sendmsg(pair_.first.get(), &header, 0), static_cast<ssize_t>(bytes.size()));
  }

  Result<std::optional<Datagram>> Receive() { return ReceiveDatagram(pair_.second.get(), buffer_); }

  ChannelPair pair_;
  std::vector<std::uint8_t> buffer_ = std::vector<std::uint8_t>(kMaxDatagram);
};

TEST_F(ChannelTest, CarriesAMessageAndItsDescriptor) {
  Hello hello;
  hello.set_role(ROLE_WORKER);
  const Result<EncodedMessage> message = EncodedMessage::Encode(MessageType::kHello, hello);
  ASSERT_TRUE(message);
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Result<SendState> sent = SendDatagram(pair_.first.get(), *message, null.get());
  ASSERT_TRUE(sent);
  EXPECT_EQ(*sent, SendState::kSent);
  const Result<std::optional<Datagram>> received = Receive();
  ASSERT_TRUE(received);
  ASSERT_TRUE(received->has_value());
  EXPECT_EQ((*received)->type, MessageType::kHello);
  EXPECT_TRUE((*received)->fd.valid());
  EXPECT_EQ(::fcntl((*received)->fd.get(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  Hello parsed;
  ASSERT_TRUE(
      parsed.ParseFromArray((*received)->body.data(), static_cast<int>((*received)->body.size())));
  EXPECT_EQ(parsed.role(), ROLE_WORKER);
}

TEST_F(ChannelTest, LeavesNoMessageInFreedMemory) {
  constexpr std::string_view kSecret = "a secret that must not stay";
  EncryptRequest request;
  request.set_plaintext(kSecret.data(), kSecret.size());
  const std::vector<std::uint8_t> bytes(kSecret.begin(), kSecret.end());
  const FreedMemory freed(kSecret);
  (void)EncodedMessage::Encode(MessageType::kEncryptRequest, request).has_value();
  (void)EncodedMessage::Encode(MessageType::kToken, bytes).has_value();
  EXPECT_EQ(freed.found(), 0U);
}

TEST_F(ChannelTest, SaysThatNothingIsWaiting) {
  const Result<std::optional<Datagram>> received = Receive();
  ASSERT_TRUE(received);
  EXPECT_FALSE(received->has_value());
}

TEST_F(ChannelTest, NoticesThatThePeerIsGone) {
  pair_.first.reset();
  const Result<std::optional<Datagram>> received = Receive();
  ASSERT_FALSE(received);
  EXPECT_EQ(received.error().code(), ErrorCode::kUnavailable);
  const Result<EncodedMessage> message = EncodedMessage::Encode(MessageType::kHello, Hello());
  const Result<SendState> sent = SendDatagram(pair_.second.get(), *message, -1);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code(), ErrorCode::kUnavailable);
}

TEST_F(ChannelTest, RefusesWhatIsNotADatagramOfOurs) {
  struct Row {
    const char* name;
    std::string bytes;
    std::size_t descriptors;
  };

  const std::vector<Row> rows = {
      {"one byte", std::string(1, '\x02'), 0},
      {"type zero", std::string(2, '\0'), 0},
      {"type nobody has", std::string("\x01\x00", 2), 0},
      {"type of the high byte", std::string("\x02\x01", 2), 0},
      {"over the maximum of its type",
       std::string("\x02\x00", 2) + std::string(kMaxControlBody + 1, 'x'), 0},
      {"over every maximum", std::string("\x14\x00", 2) + std::string(kMaxDatagram, 'x'), 0},
      {"two descriptors", std::string("\x02\x00", 2), 2},
      {"more descriptors than there is room for", std::string("\x02\x00", 2), 7},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const std::size_t before = OpenDescriptors();
    SendRaw(row.bytes, row.descriptors);
    {
      const Result<std::optional<Datagram>> received = Receive();
      ASSERT_FALSE(received);
      EXPECT_EQ(received.error().code(), ErrorCode::kProtocolViolation);
    }
    EXPECT_EQ(OpenDescriptors(), before);
  }
}

TEST_F(ChannelTest, TakesABodyOfExactlyTheMaximum) {
  SendRaw(std::string("\x02\x00", 2) + std::string(kMaxControlBody, 'x'), 0);
  const Result<std::optional<Datagram>> received = Receive();
  ASSERT_TRUE(received);
  EXPECT_EQ((*received)->body.size(), kMaxControlBody);
}

TEST_F(ChannelTest, CarriesTheLargestDatagramOfAll) {
  KeyTable table;
  table.set_generation(UINT64_MAX);
  table.set_active_key_id(std::string(48, 'k'));
  for (std::size_t i = 0; i < kMaxKeyVersions; ++i) {
    ASSERT_TRUE(AppendVersion(kMaxVersionNumber, kMaxCreatedUnix, *table.mutable_versions()));
  }
  const Result<EncodedMessage> message = EncodedMessage::Encode(MessageType::kKeyTable, table);
  ASSERT_TRUE(message);
  const Result<SendState> sent = SendDatagram(pair_.first.get(), *message, -1);
  ASSERT_TRUE(sent);
  EXPECT_EQ(*sent, SendState::kSent);
  const Result<std::optional<Datagram>> received = Receive();
  ASSERT_TRUE(received);
  EXPECT_EQ((*received)->body.size(), table.ByteSizeLong());
}

TEST_F(ChannelTest, WillNotEncodeWhatThePeerWouldRefuse) {
  Hello hello;
  LogRecord record;
  record.set_event(std::string(kMaxLogBody + 1, 'e'));
  EXPECT_FALSE(EncodedMessage::Encode(MessageType::kLogRecord, record));
  EXPECT_FALSE(EncodedMessage::Encode(static_cast<MessageType>(9999), record));
  EXPECT_TRUE(EncodedMessage::Encode(MessageType::kHello, hello));
}

TEST(MessageTypeTest, AnswersFollowTheirRequests) {
  EXPECT_EQ(static_cast<int>(MessageType::kDecryptAnswer),
            static_cast<int>(MessageType::kDecryptRequest) + 1);
  EXPECT_EQ(ToString(MessageType::kKeyTable), "KeyTable");
  EXPECT_EQ(ToString(static_cast<MessageType>(0)), "unknown");
  EXPECT_EQ(LimitsOf(static_cast<MessageType>(0)).max_body, 0U);
}

}  // namespace
}  // namespace baokms::ipc
