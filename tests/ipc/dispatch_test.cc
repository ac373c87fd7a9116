#include "ipc/dispatch.h"

#include <fcntl.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"

namespace baokms::ipc {
namespace {

class DispatchTest : public ::testing::Test {
 protected:
  DispatchTest() { StartOver(); }

  // A new channel: nothing has been received on it.
  void StartOver() {
    dispatch_ = Dispatch();
    dispatch_.Add<Hello>(MessageType::kHello, kPhaseHello, [this](const Hello& hello) -> Status {
      role_ = hello.role();
      ++calls_;
      return {};
    });
    dispatch_.AddWithDescriptor<ProcDescriptor>(
        MessageType::kProcDescriptor, kPhaseServing, Descriptor::kRequired,
        [this](const ProcDescriptor&, UniqueFd fd) -> Status {
          EXPECT_TRUE(fd.valid());
          ++calls_;
          return {};
        });
  }

  static std::string GoodHello() {
    Hello hello;
    hello.set_protocol_version(kProtocolVersion);
    hello.set_role(ROLE_SPAWNER);
    return hello.SerializeAsString();
  }

  Status Deliver(
      MessageType type, std::string body, Phase phase, UniqueFd fd, BootTime now = BootNow()) {
    std::vector<std::uint8_t> bytes(body.begin(), body.end());
    Datagram datagram;
    datagram.type = type;
    datagram.body = bytes;
    datagram.fd = std::move(fd);
    return dispatch_.Deliver(std::move(datagram), phase, now);
  }

  static UniqueFd Null() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

  Dispatch dispatch_;
  Role role_ = ROLE_UNKNOWN;
  int calls_ = 0;
};

TEST_F(DispatchTest, HandsAMessageToItsRow) {
  EXPECT_TRUE(Deliver(MessageType::kHello, GoodHello(), kPhaseHello, UniqueFd()));
  EXPECT_EQ(role_, ROLE_SPAWNER);
  EXPECT_TRUE(Deliver(MessageType::kProcDescriptor, "\x08\x01", kPhaseServing, Null()));
  EXPECT_EQ(calls_, 2);
}

TEST_F(DispatchTest, RefusesEveryViolation) {
  const std::string good = GoodHello();

  struct Row {
    const char* name;
    MessageType type;
    std::string body;
    Phase phase;
    bool descriptor;
  };

  const std::vector<Row> rows = {
      {"no row for it", MessageType::kKill, "", kPhaseServing, false},
      {"wrong phase", MessageType::kHello, good, kPhaseServing, false},
      {"early", MessageType::kProcDescriptor, "", kPhaseHello, true},
      {"extra descriptor", MessageType::kHello, good, kPhaseHello, true},
      {"missing descriptor", MessageType::kProcDescriptor, "", kPhaseServing, false},
      {"malformed", MessageType::kProcDescriptor, "", kPhaseServing, true},
      {"truncated", MessageType::kHello, good.substr(0, 1), kPhaseHello, false},
      {"garbage", MessageType::kHello, "\xff\xff\xff", kPhaseHello, false},
      {"an unknown field", MessageType::kHello, good + std::string("\x78\x01", 2), kPhaseHello,
       false},
      {"a field twice", MessageType::kHello, good + good, kPhaseHello, false},
      {"a default written out", MessageType::kHello, std::string("\x08\x00", 2), kPhaseHello,
       false},
      {"a long varint", MessageType::kHello, std::string("\x10\x84\x00", 3), kPhaseHello, false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    StartOver();
    const Status delivered =
        Deliver(row.type, row.body, row.phase, row.descriptor ? Null() : UniqueFd());
    ASSERT_FALSE(delivered);
    EXPECT_EQ(delivered.error().code(), ErrorCode::kProtocolViolation);
  }
  EXPECT_EQ(calls_, 0);
}

TEST_F(DispatchTest, RefusesMoreThanTheTotalOfAType) {
  const auto send = [this] {
    return Deliver(MessageType::kHello, GoodHello(), kPhaseHello, UniqueFd());
  };
  EXPECT_TRUE(send());
  const Status second = send();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kProtocolViolation);
}

TEST_F(DispatchTest, RefusesWhatIsOverTheRateOfItsTypeUntilTimePasses) {
  int records = 0;
  dispatch_.Add<LogRecord>(MessageType::kLogRecord, kPhaseServing,
                           [&records](const LogRecord&) -> Status {
                             ++records;
                             return {};
                           });
  LogRecord record;
  record.set_event("test.event");
  const FlowLimit limit = LimitsOf(MessageType::kLogRecord).flow;
  const BootTime start = BootNow();
  const auto send = [&](BootTime now) {
    return Deliver(MessageType::kLogRecord, record.SerializeAsString(), kPhaseServing, UniqueFd(),
                   now)
        .has_value();
  };
  for (int i = 0; i < static_cast<int>(limit.burst); ++i) {
    ASSERT_TRUE(send(start)) << i;
  }
  EXPECT_FALSE(send(start));
  const BootTime later = start + std::chrono::seconds(1);
  for (int i = 0; i < static_cast<int>(limit.per_second); ++i) {
    ASSERT_TRUE(send(later)) << i;
  }
  EXPECT_FALSE(send(later));
  EXPECT_EQ(records, static_cast<int>(limit.burst + limit.per_second));
}

}  // namespace
}  // namespace baokms::ipc
