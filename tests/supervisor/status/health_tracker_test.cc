#include "supervisor/status/health_tracker.h"

#include <chrono>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace baokms::supervisor {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Health = StatusView::Health;

constexpr BootTime kNow = seconds(1000);
constexpr ProbeFailure kSealed = {.reason = ProbeReason::kMetadataReadFailed,
                                  .outcome = ipc::OUTCOME_SEALED,
                                  .severity = Severity::kTransport};
constexpr ProbeFailure kBadProfile = {.reason = ProbeReason::kProfileInvalid};
constexpr ProbeFailure kDeepTimeout = {.reason = ProbeReason::kDeepProbeFailed,
                                       .outcome = ipc::OUTCOME_TIMEOUT,
                                       .severity = Severity::kTransport};
constexpr ProbeFailure kDeepInvalid = {.reason = ProbeReason::kDeepProbeInvalid};

class HealthTrackerTest : public ::testing::Test {
 protected:
  void MakeGood() {
    book_.SetActive("a");
    book_.MetadataGood(kNow, 1);
    book_.DeepGood("a");
  }

  HealthTracker book_{seconds(120)};
};

TEST_F(HealthTrackerTest, NeedsMetadataAndDeepAndAnActiveKey) {
  EXPECT_EQ(book_.CurrentHealth(kNow), Health::kUnavailable);
  book_.MetadataGood(kNow, 1);
  EXPECT_EQ(book_.CurrentHealth(kNow), Health::kUnhealthy);
  EXPECT_THAT(book_.Reasons(kNow), ElementsAre(ProbeReason::kStateUnavailable));
  book_.SetActive("a");
  EXPECT_EQ(book_.CurrentHealth(kNow), Health::kUnhealthy);
  EXPECT_THAT(book_.Reasons(kNow), ElementsAre(ProbeReason::kDeepProbePending));
  book_.DeepGood("a");
  EXPECT_EQ(book_.CurrentHealth(kNow), Health::kOk);
  EXPECT_THAT(book_.Reasons(kNow), IsEmpty());
}

TEST_F(HealthTrackerTest, IgnoresADeepResultOfAnotherKey) {
  book_.SetActive("a");
  book_.MetadataGood(kNow, 1);
  book_.DeepGood("b");
  EXPECT_EQ(book_.CurrentHealth(kNow), Health::kUnhealthy);
}

TEST_F(HealthTrackerTest, StartsAnewWithAKeyThatWasNotProven) {
  MakeGood();
  book_.SetActive("b");
  EXPECT_EQ(book_.CurrentHealth(kNow), Health::kUnhealthy);
}

TEST_F(HealthTrackerTest, DoesNotBlinkForAProvenCandidate) {
  MakeGood();
  book_.CandidateGood("b");
  EXPECT_EQ(book_.CurrentHealth(kNow), Health::kOk);
  book_.SetActive("b");
  EXPECT_EQ(book_.CurrentHealth(kNow), Health::kOk);
}

TEST_F(HealthTrackerTest, NeverClearsOnePartByTheOther) {
  MakeGood();
  book_.MetadataFailed(kBadProfile);
  book_.DeepGood("a");
  EXPECT_EQ(book_.CurrentHealth(kNow), Health::kUnhealthy);
  book_.MetadataGood(kNow, 1);
  book_.DeepFailed(kDeepInvalid, kNow);
  book_.MetadataGood(kNow, 1);
  EXPECT_EQ(book_.CurrentHealth(kNow), Health::kUnhealthy);
  EXPECT_THAT(book_.Reasons(kNow), ElementsAre(ProbeReason::kDeepProbeInvalid));
}

TEST_F(HealthTrackerTest, IsNotMovedByTransportFailuresOfMetadata) {
  MakeGood();
  book_.MetadataFailed(kSealed);
  EXPECT_EQ(book_.CurrentHealth(kNow), Health::kOk);
  EXPECT_EQ(book_.metadata_at(), kNow) << "so that it becomes stale";
  EXPECT_EQ(book_.metadata_error_class(), "sealed");
}

TEST_F(HealthTrackerTest, IsNotHealedByTransportFailures) {
  MakeGood();
  book_.MetadataFailed(kBadProfile);
  book_.MetadataFailed(kSealed);
  EXPECT_EQ(book_.CurrentHealth(kNow), Health::kUnhealthy);
  EXPECT_THAT(book_.Reasons(kNow), ElementsAre(ProbeReason::kProfileInvalid));
  EXPECT_EQ(book_.metadata_error_class(), "sealed");
}

TEST_F(HealthTrackerTest, IsUnhealthyWhenTheVeryFirstReadFails) {
  book_.SetActive("a");
  book_.MetadataFailed(kSealed);
  EXPECT_EQ(book_.CurrentHealth(kNow), Health::kUnhealthy);
  EXPECT_THAT(book_.Reasons(kNow),
              ElementsAre(ProbeReason::kMetadataReadFailed, ProbeReason::kDeepProbePending));
}

TEST_F(HealthTrackerTest, BoundsTransportFailuresOfTheDeepProbe) {
  MakeGood();
  book_.DeepFailed(kDeepTimeout, kNow);
  book_.DeepFailed(kDeepTimeout, kNow + seconds(60));
  EXPECT_EQ(book_.DeepTurnsBadAt(), kNow + seconds(120));
  EXPECT_EQ(book_.CurrentHealth(kNow + seconds(119)), Health::kOk);
  EXPECT_EQ(book_.CurrentHealth(kNow + seconds(120)), Health::kUnhealthy);
  book_.DeepGood("a");
  EXPECT_EQ(book_.CurrentHealth(kNow + seconds(300)), Health::kOk);
  EXPECT_FALSE(book_.DeepTurnsBadAt().has_value());
}

}  // namespace
}  // namespace baokms::supervisor
