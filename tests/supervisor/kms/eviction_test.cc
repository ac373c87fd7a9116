#include "supervisor/kms/eviction.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

namespace baokms::supervisor {
namespace {

constexpr uid_t kApiServer = 0;
constexpr uid_t kCrowd = 1000;
constexpr uid_t kOther = 1001;
constexpr uid_t kThird = 1002;

using enum ConnectionUse;

// Connections in the order of their age.
class Room {
 public:
  Room& Add(std::size_t count, uid_t uid, ConnectionUse use) {
    open_.insert(open_.end(), count, Occupant{uid, use});
    return *this;
  }

  [[nodiscard]] NewcomerDecision For(uid_t uid) const { return CheckNewcomer(open_, uid); }

  [[nodiscard]] std::optional<std::size_t> Leaves(uid_t newcomer) const {
    return For(newcomer).evict;
  }

  [[nodiscard]] bool Refuses(uid_t newcomer) const { return !For(newcomer).admit; }

  // Lets `uid` connect `count` times with connections that stay at `use`.
  void Flood(std::size_t count, uid_t uid, ConnectionUse use) {
    for (std::size_t i = 0; i < count; ++i) {
      const NewcomerDecision decision = For(uid);
      if (decision.evict) {
        open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(*decision.evict));
      }
      if (decision.admit) {
        open_.push_back({uid, use});
      }
      ASSERT_LE(open_.size(), kMaxConnections);
    }
  }

  [[nodiscard]] std::ptrdiff_t Count(uid_t uid, ConnectionUse use) const {
    return std::ranges::count_if(
        open_, [&](const Occupant& one) { return one.uid == uid && one.use == use; });
  }

 private:
  std::vector<Occupant> open_;
};

TEST(EvictionTest, NobodyLeavesWhileThereIsRoom) {
  Room room;
  room.Add(31, kCrowd, kHandshake).Add(31, kOther, kHandshake);
  EXPECT_FALSE(room.Leaves(kApiServer).has_value());
  EXPECT_FALSE(room.Refuses(kApiServer));
  EXPECT_FALSE(room.Leaves(kCrowd).has_value());
}

TEST(EvictionTest, AFullUidReplacesItsOwn) {
  Room room;
  room.Add(1, kApiServer, kHandshake).Add(1, kCrowd, kAnswered).Add(31, kCrowd, kServed);
  EXPECT_EQ(room.Leaves(kCrowd), 2U);
  room.Add(31, kOther, kHandshake);
  EXPECT_EQ(room.Leaves(kCrowd), 2U) << "also when the socket is full as a whole";
}

TEST(EvictionTest, AHandshakeLeavesBeforeAnOlderServedConnection) {
  Room room;
  room.Add(31, kCrowd, kServed).Add(1, kCrowd, kHandshake);
  EXPECT_EQ(room.Leaves(kCrowd), 31U);
}

TEST(EvictionTest, AnsweredConnectionsOfTheSameUidStay) {
  Room room;
  room.Add(kMaxConnectionsPerUid, kCrowd, kAnswered);
  EXPECT_TRUE(room.Refuses(kCrowd));
  EXPECT_FALSE(room.Refuses(kApiServer));
}

TEST(EvictionTest, TheUidWithTheMostConnectionsMakesRoom) {
  Room room;
  room.Add(2, kApiServer, kServed).Add(30, kOther, kServed).Add(32, kCrowd, kServed);
  EXPECT_EQ(room.Leaves(kThird), 32U);
  EXPECT_EQ(room.Leaves(kApiServer), 32U);
}

TEST(EvictionTest, NobodyLeavesForAUidThatHasAsMany) {
  Room room;
  room.Add(32, kCrowd, kAnswered).Add(1, kApiServer, kServed).Add(31, kOther, kAnswered);
  EXPECT_TRUE(room.Refuses(kOther)) << "else the API server's first call would be at its mercy";
}

TEST(EvictionTest, CallsOnEachConnectionDoNotKeepAThirdUidOut) {
  Room room;
  room.Add(1, kApiServer, kAnswered).Add(32, kCrowd, kAnswered).Add(31, kOther, kAnswered);
  EXPECT_EQ(room.Leaves(kThird), 1U);
  EXPECT_EQ(room.Leaves(kApiServer), 1U);
}

TEST(EvictionTest, AFewAnsweredConnectionsNeverLeaveForAnotherUid) {
  Room room;
  for (uid_t uid = 0; uid < kMaxConnections / kSafeConnectionsPerUid; ++uid) {
    room.Add(kSafeConnectionsPerUid, 2000 + uid, kAnswered);
  }
  EXPECT_TRUE(room.Refuses(kThird));
}

TEST(EvictionTest, NoCrowdDrivesTheApiServerOut) {
  for (const ConnectionUse use : {kHandshake, kServed, kAnswered}) {
    for (const uid_t crowd : {kCrowd, kApiServer}) {
      if (crowd == kApiServer && use == kAnswered) {
        continue;  // nothing tells such a crowd from the API server
      }
      Room room;
      room.Add(2, kApiServer, kAnswered);
      room.Flood(200, crowd, use);
      room.Flood(200, kOther, use);
      room.Flood(200, kThird, use);
      EXPECT_EQ(room.Count(kApiServer, kAnswered), 2);
      EXPECT_FALSE(room.Refuses(kApiServer));
    }
  }
}

}  // namespace
}  // namespace baokms::supervisor
