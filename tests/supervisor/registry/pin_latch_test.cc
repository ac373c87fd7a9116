// A PIN is tried once, whatever dies in between.

#include "supervisor/registry/pin_latch.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "common/base/result.h"
#include "supervisor/registry/file_ops.h"

namespace baokms::supervisor {
namespace {

namespace fs = std::filesystem;

constexpr std::uint16_t kTag = 0x7000;
constexpr std::uint16_t kOtherTag = 0x8000;

class PinLatchTest : public testing::Test {
 protected:
  PinLatchTest() {
    std::string name = "/tmp/pin_latch_XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
  }

  ~PinLatchTest() override {
    fs::permissions(folder, fs::perms::owner_all);
    fs::remove_all(folder);
  }

  // As a process that has just started has it.
  [[nodiscard]] PinLatch Open() {
    Result<PinLatch> latch = PinLatch::Open(ops, (folder / "registry.json").string());
    EXPECT_TRUE(latch);
    return std::move(*latch);
  }

  [[nodiscard]] fs::path file() const { return folder / "registry.json.pin-latch"; }

  SystemFileOps ops;
  fs::path folder;
};

TEST_F(PinLatchTest, AllowsTheFirstAttemptAndWritesItBeforehand) {
  const PinLatch latch = Open();
  const PinSalt salt = *latch.Salt();
  EXPECT_EQ(latch.Begin(salt, kTag), PinPermission::kAllowed);
  const std::optional<PinRecord> record = *latch.Read();
  ASSERT_TRUE(record);
  EXPECT_EQ(*record, (PinRecord{PinRecord::Kind::kAttempting, kTag, salt}));
}

TEST_F(PinLatchTest, ForgetsASuccess) {
  const PinLatch latch = Open();
  const PinSalt salt = *latch.Salt();
  ASSERT_EQ(latch.Begin(salt, kTag), PinPermission::kAllowed);
  ASSERT_TRUE(latch.Clear());
  EXPECT_FALSE(fs::exists(file()));
  EXPECT_EQ(latch.Begin(salt, kTag), PinPermission::kAllowed);
}

TEST_F(PinLatchTest, RemembersAnAttemptThatNeverEndedOverRestarts) {
  const PinSalt salt = *Open().Salt();
  ASSERT_EQ(Open().Begin(salt, kTag), PinPermission::kAllowed);
  for (int start = 0; start < 5; ++start) {
    const PinLatch latch = Open();
    EXPECT_EQ(*latch.Salt(), salt);
    EXPECT_EQ(latch.Begin(salt, kTag), PinPermission::kUnfinishedBefore);
  }
}

TEST_F(PinLatchTest, RemembersARefusalUntilThePinChanges) {
  const PinSalt salt = *Open().Salt();
  ASSERT_EQ(Open().Begin(salt, kTag), PinPermission::kAllowed);
  ASSERT_TRUE(Open().Refuse(salt, kTag));
  EXPECT_EQ(Open().Begin(salt, kTag), PinPermission::kRefusedBefore);
  EXPECT_EQ(Open().Begin(salt, kOtherTag), PinPermission::kAllowed);
  // The first PIN again is another change.
  ASSERT_TRUE(Open().Refuse(salt, kOtherTag));
  EXPECT_EQ(Open().Begin(salt, kOtherTag), PinPermission::kRefusedBefore);
}

// Files of earlier versions have 16 bits of the hash, of which the first four are today's tag.
TEST_F(PinLatchTest, RecognisesThePinOfAFileOfAnEarlierVersion) {
  std::ofstream(file()) << "pin-latch/v1 refused 1a2b 0102030405060708090a0b0c0d0e0f10\n";
  fs::permissions(file(), fs::perms::owner_read | fs::perms::owner_write);
  const PinSalt salt = *Open().Salt();
  EXPECT_EQ(salt[0], 1);
  EXPECT_EQ(Open().Begin(salt, 0x1000), PinPermission::kRefusedBefore);
  EXPECT_EQ(Open().Begin(salt, 0x2000), PinPermission::kAllowed);
}

TEST_F(PinLatchTest, IsClearedByAnotherProcess) {
  const PinLatch serving = Open();
  const PinSalt salt = *serving.Salt();
  ASSERT_EQ(serving.Begin(salt, kTag), PinPermission::kAllowed);
  ASSERT_EQ(serving.Begin(salt, kTag), PinPermission::kUnfinishedBefore);
  ASSERT_TRUE(Open().Clear());
  EXPECT_EQ(serving.Begin(salt, kTag), PinPermission::kAllowed);
}

TEST_F(PinLatchTest, DoesNotCompareTagsOfDifferentSalts) {
  const PinSalt salt = *Open().Salt();
  ASSERT_EQ(Open().Begin(salt, kTag), PinPermission::kAllowed);
  PinSalt other = salt;
  other[0] = static_cast<std::uint8_t>(other[0] ^ 1U);
  EXPECT_EQ(Open().Begin(other, kOtherTag), PinPermission::kUnfinishedBefore);
}

TEST_F(PinLatchTest, AllowsNothingWhenItCannotBeRead) {
  const PinSalt salt = *Open().Salt();
  std::ofstream(file()) << "pin-latch/v2 something else\n";
  fs::permissions(file(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(Open().Begin(salt, kTag), PinPermission::kNoLatch);
  EXPECT_TRUE(Open().Salt());
  ASSERT_TRUE(Open().Clear());
  EXPECT_EQ(Open().Begin(salt, kTag), PinPermission::kAllowed);
}

TEST_F(PinLatchTest, AllowsNothingWhenItCannotBeWritten) {
  const PinLatch latch = Open();
  const PinSalt salt = *latch.Salt();
  fs::create_directory(file());
  EXPECT_EQ(latch.Begin(salt, kTag), PinPermission::kNoLatch);
}

TEST(PinRecordTest, ReadsWhatItWrites) {
  for (const auto kind : {PinRecord::Kind::kAttempting, PinRecord::Kind::kRefused}) {
    for (const std::uint16_t tag :
         {std::uint16_t{0}, std::uint16_t{0x1a2b}, std::uint16_t{65535}}) {
      const PinRecord record{kind, tag, {1, 2, 3, 0xff}};
      const Result<PinRecord> read = ParsePinRecord(FormatPinRecord(record));
      ASSERT_TRUE(read);
      EXPECT_EQ(*read, record);
    }
  }
}

TEST(PinRecordTest, RefusesEveryTruncationAndEveryBitFlip) {
  const std::string text = FormatPinRecord({PinRecord::Kind::kRefused, 0x1a2b, {1, 2, 3}});
  const PinRecord record = *ParsePinRecord(text);
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(ParsePinRecord(text.substr(0, size))) << size;
  }
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string flipped = text;
      flipped[at] = static_cast<char>(static_cast<unsigned char>(flipped[at]) ^ (1U << bit));
      const Result<PinRecord> read = ParsePinRecord(flipped);
      EXPECT_FALSE(read && *read == record) << at;
    }
  }
}

}  // namespace
}  // namespace baokms::supervisor
