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
    tracker_.SetActive("a");
    tracker_.MetadataGood(kNow, 1);
    tracker_.DeepGood("a");
  }

  HealthTracker tracker_{seconds(120)};
};

TEST_F(HealthTrackerTest, NeedsMetadataAndDeepAndAnActiveKey) {
  EXPECT_EQ(tracker_.CurrentHealth(kNow), Health::kUnavailable);
  tracker_.MetadataGood(kNow, 1);
  EXPECT_EQ(tracker_.CurrentHealth(kNow), Health::kUnhealthy);
  EXPECT_THAT(tracker_.Reasons(kNow), ElementsAre(ProbeReason::kStateUnavailable));
  tracker_.SetActive("a");
  EXPECT_EQ(tracker_.CurrentHealth(kNow), Health::kUnhealthy);
  EXPECT_THAT(tracker_.Reasons(kNow), ElementsAre(ProbeReason::kDeepProbePending));
  tracker_.DeepGood("a");
  EXPECT_EQ(tracker_.CurrentHealth(kNow), Health::kOk);
  EXPECT_THAT(tracker_.Reasons(kNow), IsEmpty());
}

TEST_F(HealthTrackerTest, IgnoresADeepResultOfAnotherKey) {
  tracker_.SetActive("a");
  tracker_.MetadataGood(kNow, 1);
  tracker_.DeepGood("b");
  EXPECT_EQ(tracker_.CurrentHealth(kNow), Health::kUnhealthy);
}

TEST_F(HealthTrackerTest, StartsAnewWithAKeyThatWasNotProven) {
  MakeGood();
  tracker_.SetActive("b");
  EXPECT_EQ(tracker_.CurrentHealth(kNow), Health::kUnhealthy);
}

TEST_F(HealthTrackerTest, DoesNotBlinkForAProvenCandidate) {
  MakeGood();
  tracker_.CandidateGood("b");
  EXPECT_EQ(tracker_.CurrentHealth(kNow), Health::kOk);
  tracker_.SetActive("b");
  EXPECT_EQ(tracker_.CurrentHealth(kNow), Health::kOk);
}

TEST_F(HealthTrackerTest, NeverClearsOnePartByTheOther) {
  MakeGood();
  tracker_.MetadataFailed(kBadProfile);
  tracker_.DeepGood("a");
  EXPECT_EQ(tracker_.CurrentHealth(kNow), Health::kUnhealthy);
  tracker_.MetadataGood(kNow, 1);
  tracker_.DeepFailed(kDeepInvalid, kNow);
  tracker_.MetadataGood(kNow, 1);
  EXPECT_EQ(tracker_.CurrentHealth(kNow), Health::kUnhealthy);
  EXPECT_THAT(tracker_.Reasons(kNow), ElementsAre(ProbeReason::kDeepProbeInvalid));
}

TEST_F(HealthTrackerTest, IsNotMovedByTransportFailuresOfMetadata) {
  MakeGood();
  tracker_.MetadataFailed(kSealed);
  EXPECT_EQ(tracker_.CurrentHealth(kNow), Health::kOk);
  EXPECT_EQ(tracker_.metadata_at(), kNow) << "so that it becomes stale";
  EXPECT_EQ(tracker_.metadata_error_class(), "sealed");
}

TEST_F(HealthTrackerTest, NamesTheCauseOnceTheMetadataIsStale) {
  MakeGood();
  EXPECT_THAT(tracker_.Reasons(kNow, true), ElementsAre(ProbeReason::kStatusStale));
  tracker_.MetadataFailed(kSealed);
  EXPECT_THAT(tracker_.Reasons(kNow), IsEmpty());
  EXPECT_THAT(tracker_.Reasons(kNow, true),
              ElementsAre(ProbeReason::kStatusStale, ProbeReason::kMetadataReadFailed));
  tracker_.MetadataFailed(kBadProfile);
  EXPECT_THAT(tracker_.Reasons(kNow, true),
              ElementsAre(ProbeReason::kStatusStale, ProbeReason::kProfileInvalid));
}

TEST_F(HealthTrackerTest, IsNotHealedByTransportFailures) {
  MakeGood();
  tracker_.MetadataFailed(kBadProfile);
  tracker_.MetadataFailed(kSealed);
  EXPECT_EQ(tracker_.CurrentHealth(kNow), Health::kUnhealthy);
  EXPECT_THAT(tracker_.Reasons(kNow), ElementsAre(ProbeReason::kProfileInvalid));
  EXPECT_EQ(tracker_.metadata_error_class(), "sealed");
}

TEST_F(HealthTrackerTest, IsUnhealthyWhenTheVeryFirstReadFails) {
  tracker_.SetActive("a");
  tracker_.MetadataFailed(kSealed);
  EXPECT_EQ(tracker_.CurrentHealth(kNow), Health::kUnhealthy);
  EXPECT_THAT(tracker_.Reasons(kNow),
              ElementsAre(ProbeReason::kMetadataReadFailed, ProbeReason::kDeepProbePending));
}

TEST_F(HealthTrackerTest, BoundsTransportFailuresOfTheDeepProbe) {
  MakeGood();
  tracker_.DeepFailed(kDeepTimeout, kNow);
  tracker_.DeepFailed(kDeepTimeout, kNow + seconds(60));
  EXPECT_EQ(tracker_.DeepTurnsBadAt(), kNow + seconds(120));
  EXPECT_EQ(tracker_.CurrentHealth(kNow + seconds(119)), Health::kOk);
  EXPECT_EQ(tracker_.CurrentHealth(kNow + seconds(120)), Health::kUnhealthy);
  tracker_.DeepGood("a");
  EXPECT_EQ(tracker_.CurrentHealth(kNow + seconds(300)), Health::kOk);
  EXPECT_FALSE(tracker_.DeepTurnsBadAt().has_value());
}

}  // namespace
}  // namespace baokms::supervisor
