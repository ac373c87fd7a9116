#include "worker/key_table.h"

#include <chrono>
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/contract/key_binding.h"
#include "common/contract/limits.h"
#include "ipc/key_versions.h"
#include "proto/ipc.pb.h"
#include "tests/worker/worker_fixture.h"
#include "worker/limits.h"

namespace baokms::worker {
namespace {

using namespace std::chrono_literals;

constexpr BootTime kNow = 1000s;

class KeyTableTest : public testing::Test {
 protected:
  ipc::Outcome Accept(const ipc::KeyTable& table) { return table_.Accept(table, kNow); }

  KeyTable table_{GoldenIdentity()};
};

TEST_F(KeyTableTest, StartsEmpty) {
  EXPECT_EQ(table_.active(), nullptr);
  EXPECT_EQ(table_.Find(Bind(1).key_id), nullptr);
  EXPECT_EQ(table_.FindForEncryption(Bind(1).key_id, 0, kNow), nullptr);
}

TEST_F(KeyTableTest, HoldsWhatWasDerivedFromItsOwnIdentity) {
  ASSERT_EQ(Accept(MakeTable(1, 3, 2)), ipc::OUTCOME_OK);
  ASSERT_NE(table_.active(), nullptr);
  EXPECT_EQ(table_.active()->version, (contract::KeyVersion{2, kCreated + 2}));
  EXPECT_EQ(table_.active()->associated_data, contract::AssociatedData(Bind(2)));
  for (const std::int64_t version : {1, 2, 3}) {
    EXPECT_NE(table_.Find(Bind(version).key_id), nullptr);
  }
  EXPECT_EQ(table_.Find(Bind(4).key_id), nullptr);
}

TEST_F(KeyTableTest, GenerationOnlyGrows) {
  ASSERT_EQ(Accept(MakeTable(7, 1, 1)), ipc::OUTCOME_OK);
  EXPECT_EQ(Accept(MakeTable(7, 2, 2)), ipc::OUTCOME_STALE_TABLE);
  EXPECT_EQ(Accept(MakeTable(6, 2, 2)), ipc::OUTCOME_STALE_TABLE);
  EXPECT_EQ(Accept(MakeTable(0, 2, 2)), ipc::OUTCOME_STALE_TABLE);
  EXPECT_EQ(table_.generation(), 7U);
  EXPECT_EQ(Accept(MakeTable(8, 2, 2)), ipc::OUTCOME_OK);
}

TEST_F(KeyTableTest, RefusesVersionsThatNoRegistryHolds) {
  struct Row {
    const char* name;
    void (*spoil)(ipc::KeyVersions&);
    ipc::Outcome outcome;
  };

  constexpr Row kRows[] = {
      {"active version of another second",
       [](ipc::KeyVersions& list) { list.set_created_unix(0, kCreated); },
       ipc::OUTCOME_KEY_ID_UNKNOWN},
      {"active version of another number", [](ipc::KeyVersions& list) { list.set_version(0, 9); },
       ipc::OUTCOME_KEY_ID_UNKNOWN},
      {"version 0", [](ipc::KeyVersions& list) { list.set_version(1, 0); },
       ipc::OUTCOME_REQUEST_LIMIT},
      {"no creation time", [](ipc::KeyVersions& list) { list.set_created_unix(1, 0); },
       ipc::OUTCOME_KEY_ID_MALFORMED},
      {"negative time", [](ipc::KeyVersions& list) { list.set_created_unix(1, -1); },
       ipc::OUTCOME_REQUEST_LIMIT},
      {"a version too many", [](ipc::KeyVersions& list) { list.add_version(3); },
       ipc::OUTCOME_REQUEST_LIMIT},
      {"a time too many", [](ipc::KeyVersions& list) { list.add_created_unix(kCreated); },
       ipc::OUTCOME_REQUEST_LIMIT},
      {"a version twice",
       [](ipc::KeyVersions& list) { (void)ipc::AppendVersion(2, kCreated + 2, list); },
       ipc::OUTCOME_KEY_ID_MALFORMED},
  };
  ASSERT_EQ(Accept(MakeTable(1, 1, 1)), ipc::OUTCOME_OK);
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    ipc::KeyTable table = MakeTable(2, 2, 1);
    row.spoil(*table.mutable_versions());
    EXPECT_EQ(Accept(table), row.outcome);
    EXPECT_EQ(table_.generation(), 1U);
    EXPECT_EQ(table_.Find(Bind(2).key_id), nullptr);  // nothing of it was taken over
  }
}

TEST_F(KeyTableTest, RefusesAnActiveKeyThatIsNoEntry) {
  ipc::KeyTable table = MakeTable(1, 2, 1);
  table.set_active_key_id(std::string(Bind(5).key_id.text()));
  EXPECT_EQ(Accept(table), ipc::OUTCOME_KEY_ID_UNKNOWN);
  table.set_active_key_id("obk2.");
  EXPECT_EQ(Accept(table), ipc::OUTCOME_KEY_ID_UNKNOWN);
}

// From version 2,049 on no table was accepted, and nothing could be encrypted any more.
TEST_F(KeyTableTest, HoldsAsManyVersionsAsARegistry) {
  constexpr auto kMax = static_cast<std::uint32_t>(contract::kMaxKeyRecords);
  ASSERT_EQ(Accept(MakeTable(1, kMax, kMax)), ipc::OUTCOME_OK);
  EXPECT_NE(table_.FindForEncryption(Bind(kMax).key_id, 1, kNow), nullptr);
  EXPECT_NE(table_.Find(Bind(1).key_id), nullptr);
  EXPECT_EQ(Accept(MakeTable(2, kMax + 1, kMax)), ipc::OUTCOME_REQUEST_LIMIT);
}

TEST_F(KeyTableTest, ActiveVersionNeverGoesBack) {
  ASSERT_EQ(Accept(MakeTable(1, 3, 3)), ipc::OUTCOME_OK);
  EXPECT_EQ(Accept(MakeTable(2, 3, 2)), ipc::OUTCOME_STALE_TABLE);
  ASSERT_EQ(Accept(MakeTable(3, 3, 0)), ipc::OUTCOME_OK);
  EXPECT_EQ(Accept(MakeTable(4, 3, 2)), ipc::OUTCOME_STALE_TABLE);
  EXPECT_EQ(Accept(MakeTable(5, 3, 3)), ipc::OUTCOME_OK);
}

TEST_F(KeyTableTest, TableWithoutActiveKeyBlocksEncryptionOnly) {
  ASSERT_EQ(Accept(MakeTable(1, 2, 0)), ipc::OUTCOME_OK);
  EXPECT_EQ(table_.active(), nullptr);
  EXPECT_EQ(table_.FindForEncryption(Bind(2).key_id, 1, kNow), nullptr);
  EXPECT_NE(table_.Find(Bind(2).key_id), nullptr);
}

TEST_F(KeyTableTest, OnlyTheActiveKeyEncrypts) {
  ASSERT_EQ(Accept(MakeTable(1, 3, 2)), ipc::OUTCOME_OK);
  EXPECT_NE(table_.FindForEncryption(Bind(2).key_id, 1, kNow), nullptr);
  EXPECT_EQ(table_.FindForEncryption(Bind(1).key_id, 1, kNow), nullptr);
  EXPECT_EQ(table_.FindForEncryption(Bind(3).key_id, 1, kNow), nullptr);
  EXPECT_EQ(table_.FindForEncryption(Bind(2).key_id, 2, kNow), nullptr);
}

TEST_F(KeyTableTest, RequestsOfTheTableBeforeKeepItsKeyForAWhile) {
  ASSERT_EQ(Accept(MakeTable(1, 2, 1)), ipc::OUTCOME_OK);
  ASSERT_EQ(Accept(MakeTable(2, 2, 2)), ipc::OUTCOME_OK);
  EXPECT_NE(table_.FindForEncryption(Bind(1).key_id, 1, kNow + kPreviousTableLifetime - 1ns),
            nullptr);
  EXPECT_EQ(table_.FindForEncryption(Bind(1).key_id, 1, kNow + kPreviousTableLifetime), nullptr);
  EXPECT_EQ(table_.FindForEncryption(Bind(1).key_id, 2, kNow), nullptr);
  EXPECT_NE(table_.FindForEncryption(Bind(2).key_id, 2, kNow), nullptr);
}

}  // namespace
}  // namespace baokms::worker
