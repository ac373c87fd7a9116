#include "ipc/key_versions.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/result.h"
#include "ipc/channel.h"
#include "ipc/limits.h"
#include "ipc/message_type.h"
#include "proto/ipc.pb.h"

namespace baokms::ipc {
namespace {

MetadataAnswer AnswerWith(std::size_t versions) {
  MetadataAnswer answer;
  answer.set_id(7);
  answer.set_outcome(OUTCOME_OK);
  answer.set_type("aes256-gcm96");
  answer.set_latest_version(static_cast<std::int64_t>(versions));
  for (std::size_t i = 1; i <= versions; ++i) {
    EXPECT_TRUE(
        AppendVersion(static_cast<std::int64_t>(i), kMaxCreatedUnix, *answer.mutable_versions()));
  }
  return answer;
}

TEST(KeyVersionsTest, KeepsToTheNumbersThatFit) {
  KeyVersions list;
  EXPECT_FALSE(AppendVersion(0, 1, list));
  EXPECT_FALSE(AppendVersion(-1, 1, list));
  EXPECT_FALSE(AppendVersion(kMaxVersionNumber + 1, 1, list));
  EXPECT_EQ(CountVersions(list), 0U);
  EXPECT_TRUE(AppendVersion(1, kMaxCreatedUnix + 1, list));
  EXPECT_TRUE(AppendVersion(2, -1, list));
  EXPECT_EQ(list.created_unix(0), 0);
  EXPECT_EQ(list.created_unix(1), 0);
  EXPECT_TRUE(CheckForm(list));
}

TEST(KeyVersionsTest, RefusesListsThatDoNotFitTogether) {
  KeyVersions list;
  list.add_version(1);
  EXPECT_FALSE(CheckForm(list));
  list.add_created_unix(1);
  EXPECT_TRUE(CheckForm(list));
  list.set_created_unix(0, kMaxCreatedUnix + 1);
  EXPECT_FALSE(CheckForm(list));
}

TEST(MetadataPartsTest, EveryNumberOfVersionsArrivesAsItWas) {
  MetadataParts parts;
  for (const std::size_t versions :
       {std::size_t{0}, std::size_t{1}, kMaxKeyVersions, kMaxKeyVersions + 1, 2 * kMaxKeyVersions,
        kMaxMetadataVersions}) {
    SCOPED_TRACE(versions);
    const MetadataAnswer whole = AnswerWith(versions);
    const std::vector<MetadataAnswer> datagrams = SplitMetadata(whole);
    EXPECT_EQ(datagrams.size(), versions == 0 ? 1 : (versions - 1) / kMaxKeyVersions + 1);
    for (std::size_t i = 0; i < datagrams.size(); ++i) {
      ASSERT_TRUE(EncodedMessage::Encode(MessageType::kMetadataAnswer, datagrams[i]));
      MetadataAnswer received = datagrams[i];
      const auto progress = parts.Join(received);
      ASSERT_TRUE(progress);
      const bool last = i + 1 == datagrams.size();
      ASSERT_EQ(*progress == MetadataParts::Progress::kComplete, last);
      if (last) {
        EXPECT_EQ(received.SerializeAsString(), whole.SerializeAsString());
      }
    }
  }
}

TEST(MetadataPartsTest, RefusesPartsOfTwoAnswers) {
  MetadataParts parts;
  MetadataAnswer first = SplitMetadata(AnswerWith(kMaxKeyVersions + 1)).front();
  ASSERT_TRUE(parts.Join(first));
  MetadataAnswer other = AnswerWith(1);
  other.set_id(8);
  EXPECT_FALSE(parts.Join(other));
}

TEST(MetadataPartsTest, RefusesPartsThatAreNotFull) {
  MetadataParts parts;
  MetadataAnswer part = AnswerWith(1);
  part.set_more_versions(true);
  EXPECT_FALSE(parts.Join(part));
}

TEST(MetadataPartsTest, RefusesMoreVersionsThanTheLimit) {
  MetadataParts parts;
  MetadataAnswer part = SplitMetadata(AnswerWith(kMaxKeyVersions + 1)).front();
  for (std::size_t taken = 0; taken < kMaxMetadataVersions; taken += kMaxKeyVersions) {
    MetadataAnswer copy = part;
    ASSERT_TRUE(parts.Join(copy));
  }
  MetadataAnswer rest = AnswerWith(1);
  EXPECT_FALSE(parts.Join(rest));
}

}  // namespace
}  // namespace baokms::ipc
