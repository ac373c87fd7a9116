#include "supervisor/status/health_book.h"

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

class HealthBookTest : public ::testing::Test {
 protected:
  void MakeGood() {
    book_.SetActive("a");
    book_.MetadataGood(kNow, 1);
    book_.DeepGood("a");
  }

  HealthBook book_{seconds(120)};
};

TEST_F(HealthBookTest, NeedsMetadataAndDeepAndAnActiveKey) {
  EXPECT_EQ(book_.Judge(kNow), Health::kUnavailable);
  book_.MetadataGood(kNow, 1);
  EXPECT_EQ(book_.Judge(kNow), Health::kUnhealthy);
  EXPECT_THAT(book_.Reasons(kNow), ElementsAre(ProbeReason::kStateUnavailable));
  book_.SetActive("a");
  EXPECT_EQ(book_.Judge(kNow), Health::kUnhealthy);
  EXPECT_THAT(book_.Reasons(kNow), ElementsAre(ProbeReason::kDeepProbePending));
  book_.DeepGood("a");
  EXPECT_EQ(book_.Judge(kNow), Health::kOk);
  EXPECT_THAT(book_.Reasons(kNow), IsEmpty());
}

TEST_F(HealthBookTest, IgnoresADeepResultOfAnotherKey) {
  book_.SetActive("a");
  book_.MetadataGood(kNow, 1);
  book_.DeepGood("b");
  EXPECT_EQ(book_.Judge(kNow), Health::kUnhealthy);
}

TEST_F(HealthBookTest, StartsAnewWithAKeyThatWasNotProven) {
  MakeGood();
  book_.SetActive("b");
  EXPECT_EQ(book_.Judge(kNow), Health::kUnhealthy);
}

TEST_F(HealthBookTest, DoesNotBlinkForAProvenCandidate) {
  MakeGood();
  book_.CandidateGood("b");
  EXPECT_EQ(book_.Judge(kNow), Health::kOk);
  book_.SetActive("b");
  EXPECT_EQ(book_.Judge(kNow), Health::kOk);
}

TEST_F(HealthBookTest, NeverClearsOnePartByTheOther) {
  MakeGood();
  book_.MetadataFailed(kBadProfile);
  book_.DeepGood("a");
  EXPECT_EQ(book_.Judge(kNow), Health::kUnhealthy);
  book_.MetadataGood(kNow, 1);
  book_.DeepFailed(kDeepInvalid, kNow);
  book_.MetadataGood(kNow, 1);
  EXPECT_EQ(book_.Judge(kNow), Health::kUnhealthy);
  EXPECT_THAT(book_.Reasons(kNow), ElementsAre(ProbeReason::kDeepProbeInvalid));
}

TEST_F(HealthBookTest, IsNotMovedByTransportFailuresOfMetadata) {
  MakeGood();
  book_.MetadataFailed(kSealed);
  EXPECT_EQ(book_.Judge(kNow), Health::kOk);
  EXPECT_EQ(book_.metadata_at(), kNow) << "so that it becomes stale";
  EXPECT_EQ(book_.metadata_error_class(), "sealed");
}

TEST_F(HealthBookTest, IsNotHealedByTransportFailures) {
  MakeGood();
  book_.MetadataFailed(kBadProfile);
  book_.MetadataFailed(kSealed);
  EXPECT_EQ(book_.Judge(kNow), Health::kUnhealthy);
  EXPECT_THAT(book_.Reasons(kNow), ElementsAre(ProbeReason::kProfileInvalid));
  EXPECT_EQ(book_.metadata_error_class(), "sealed");
}

TEST_F(HealthBookTest, IsUnhealthyWhenTheVeryFirstReadFails) {
  book_.SetActive("a");
  book_.MetadataFailed(kSealed);
  EXPECT_EQ(book_.Judge(kNow), Health::kUnhealthy);
  EXPECT_THAT(book_.Reasons(kNow),
              ElementsAre(ProbeReason::kMetadataReadFailed, ProbeReason::kDeepProbePending));
}

TEST_F(HealthBookTest, BoundsTransportFailuresOfTheDeepProbe) {
  MakeGood();
  book_.DeepFailed(kDeepTimeout, kNow);
  book_.DeepFailed(kDeepTimeout, kNow + seconds(60));
  EXPECT_EQ(book_.DeepTurnsBadAt(), kNow + seconds(120));
  EXPECT_EQ(book_.Judge(kNow + seconds(119)), Health::kOk);
  EXPECT_EQ(book_.Judge(kNow + seconds(120)), Health::kUnhealthy);
  book_.DeepGood("a");
  EXPECT_EQ(book_.Judge(kNow + seconds(300)), Health::kOk);
  EXPECT_FALSE(book_.DeepTurnsBadAt().has_value());
}

}  // namespace
}  // namespace baokms::supervisor
