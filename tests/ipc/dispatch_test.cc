#include "ipc/dispatch.h"

#include <cstdint>

#include <fcntl.h>

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/channel.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"

namespace baokms::ipc {
namespace {

class DispatchTest : public ::testing::Test {
 protected:
  DispatchTest() {
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

  Status Deliver(MessageType type, std::string body, Phase phase, UniqueFd fd) {
    std::vector<std::uint8_t> bytes(body.begin(), body.end());
    Datagram datagram;
    datagram.type = type;
    datagram.body = bytes;
    datagram.fd = std::move(fd);
    return dispatch_.Deliver(std::move(datagram), phase);
  }

  static UniqueFd Null() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

  Dispatch dispatch_;
  Role role_ = ROLE_UNKNOWN;
  int calls_ = 0;
};

TEST_F(DispatchTest, HandsAMessageToItsRow) {
  Hello hello;
  hello.set_role(ROLE_SPAWNER);
  EXPECT_TRUE(Deliver(MessageType::kHello, hello.SerializeAsString(), kPhaseHello, UniqueFd()));
  EXPECT_EQ(role_, ROLE_SPAWNER);
  EXPECT_TRUE(Deliver(MessageType::kProcDescriptor, "", kPhaseServing, Null()));
  EXPECT_EQ(calls_, 2);
}

TEST_F(DispatchTest, RefusesEveryBreach) {
  Hello hello;
  hello.set_role(ROLE_SPAWNER);
  const std::string good = hello.SerializeAsString();

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
    const Status delivered =
        Deliver(row.type, row.body, row.phase, row.descriptor ? Null() : UniqueFd());
    ASSERT_FALSE(delivered);
    EXPECT_EQ(delivered.error().code(), ErrorCode::kProtocolViolation);
  }
  EXPECT_EQ(calls_, 0);
}

TEST_F(DispatchTest, PrintsItsTable) {
  EXPECT_EQ(dispatch_.ToText(), "Hello hello\nProcDescriptor serving +fd\n");
}

}  // namespace
}  // namespace baokms::ipc
