#include "worker/known_versions.h"

#include <gtest/gtest.h>

#include "tests/worker/worker_fixture.h"

namespace baokms::worker {
namespace {

using Answer = KnownVersions::Answer;

TEST(KnownVersionsTest, KnowsNothingAtFirst) {
  EXPECT_EQ(KnownVersions().Confirm({1, kCreated + 1}), Answer::kUnknown);
}

TEST(KnownVersionsTest, ConfirmsVersionAndSecondTogether) {
  KnownVersions known;
  known.Remember(MakeMetadata(2));
  EXPECT_EQ(known.Confirm({1, kCreated + 1}), Answer::kConfirmed);
  EXPECT_EQ(known.Confirm({2, kCreated + 2}), Answer::kConfirmed);
  EXPECT_EQ(known.Confirm({2, kCreated + 1}), Answer::kRefuted);
  EXPECT_EQ(known.Confirm({0, kCreated}), Answer::kRefuted);
  EXPECT_EQ(known.Confirm({3, kCreated + 3}), Answer::kUnknown);
}

TEST(KnownVersionsTest, ForgetsVersionsThatAreGone) {
  KnownVersions known;
  known.Remember(MakeMetadata(3));
  contract::TransitKeyMetadata trimmed = MakeMetadata(3);
  trimmed.min_available_version = 2;
  trimmed.versions.erase(trimmed.versions.begin());
  known.Remember(trimmed);
  EXPECT_EQ(known.Confirm({1, kCreated + 1}), Answer::kRefuted);
  EXPECT_EQ(known.Confirm({3, kCreated + 3}), Answer::kConfirmed);
}

TEST(KnownVersionsTest, DoesNotBelieveMetadataThatMakesNoSense) {
  KnownVersions known;
  known.Remember(MakeMetadata(1));
  contract::TransitKeyMetadata no_time = MakeMetadata(2);
  no_time.versions[1].created_at_unix = 0;
  known.Remember(no_time);
  EXPECT_EQ(known.Confirm({2, 0}), Answer::kUnknown);
  contract::TransitKeyMetadata twice = MakeMetadata(2);
  twice.versions.push_back({2, kCreated + 9});
  known.Remember(twice);
  EXPECT_EQ(known.Confirm({2, kCreated + 2}), Answer::kUnknown);
  EXPECT_EQ(known.Confirm({1, kCreated + 1}), Answer::kConfirmed);
}

}  // namespace
}  // namespace baokms::worker
