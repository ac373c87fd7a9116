#include "supervisor/state_commands/rotation_report.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/supervisor/status/rotation_fixture.h"

namespace baokms::supervisor {
namespace {

using contract::RecordState;
using nlohmann::json;
using testing::HasSubstr;

constexpr std::int64_t kNow = 1'700'009'000;

// The registry of a node that has these records, with a current checkpoint.
LocalRegistry Local(std::vector<contract::KeyRecord> records) {
  LocalRegistry local;
  local.state = Registry(std::move(records));
  local.checkpoint = contract::CheckpointOf(*local.state);
  local.state_file_exists = true;
  return local;
}

LocalRegistry RotatedRegistry() {
  return Local({MakeRecord(2, RecordState::kActive), MakeRecord(1, RecordState::kRetired)});
}

LiveKey Live(contract::TransitKeyMetadata metadata) {
  return {.metadata = std::move(metadata), .failure = {}};
}

struct Reported {
  json facts;
  std::string failure;
};

Reported Report(const LocalRegistry& local, const LiveKey& live) {
  const contract::ConfigIdentity identity = FixtureIdentity();
  const CommandResult result = ReportRotation(
      "rotation-plan",
      {.local = local,
       .live = live,
       .identity = identity,
       .policy = {.required_observations = 3, .activation_delay = std::chrono::seconds(90)},
       .now_unix = kNow});
  return {json::parse(result.report.ToJson()), result.failure};
}

TEST(RotationReportTest, ShowsAnActiveRegistry) {
  const Reported report = Report(RotatedRegistry(), Live(Metadata(2)));
  EXPECT_EQ(report.failure, "");
  EXPECT_EQ(report.facts["transitMetadataStatus"], "pass");
  EXPECT_EQ(report.facts["stateLoaded"], true);
  EXPECT_EQ(report.facts["stateCheckpointStatus"], "current");
  EXPECT_EQ(report.facts["stateHash"], report.facts["stateCheckpointHash"]);
  EXPECT_EQ(report.facts["activeTransitVersion"], 2);
  EXPECT_EQ(report.facts["latestTransitVersion"], 2);
  EXPECT_EQ(report.facts["rotationState"], "active");
  EXPECT_FALSE(report.facts.contains("pendingKeyIdHash"));
  EXPECT_FALSE(report.facts.contains("stateBootstrapReason"));
}

TEST(RotationReportTest, ShowsHashesAndNeverAKeyId) {
  const LocalRegistry local = RotatedRegistry();
  const std::string text = Report(local, Live(Metadata(3))).facts.dump();
  EXPECT_EQ(text.find("obk2."), std::string::npos);
  EXPECT_THAT(text, HasSubstr(KeyIdHash(local.state->active())));
}

TEST(RotationReportTest, TellsTheFourStatesOfTheCheckpointApart) {
  LocalRegistry local = RotatedRegistry();
  local.checkpoint.reset();
  EXPECT_EQ(Report(local, Live(Metadata(2))).facts["stateCheckpointStatus"], "missing");
  const contract::RegistryState first = FirstState();
  LocalRegistry behind;
  behind.state = WithPending(first, 2);
  behind.checkpoint = contract::CheckpointOf(first);
  behind.state_file_exists = true;
  EXPECT_EQ(Report(behind, Live(Metadata(2))).facts["stateCheckpointStatus"], "behind");
  EXPECT_EQ(Report({}, Live(Metadata(1))).facts["stateCheckpointStatus"], "absent");
}

TEST(RotationReportTest, ForeseesAVersionThatTheProviderHasNotSeen) {
  const Reported report = Report(RotatedRegistry(), Live(Metadata(3)));
  EXPECT_EQ(report.failure, "");
  EXPECT_EQ(report.facts["rotationState"], "pending");
  EXPECT_EQ(report.facts["pendingTransitVersion"], 3);
  EXPECT_EQ(report.facts["pendingKeyIdHash"], KeyIdHash(MakeRecord(3, RecordState::kPending)));
  EXPECT_FALSE(report.facts.contains("pendingStableObservationCount"));
  EXPECT_FALSE(report.facts.contains("pendingPromotesAfter"));
}

TEST(RotationReportTest, ShowsWhenAStableVersionIsPromotedAtTheEarliest) {
  contract::KeyRecord pending = MakeRecord(2, RecordState::kPending);
  pending.stable_observation_count = 3;
  pending.stable_at_unix = 1'700'005'000;
  const Reported report =
      Report(Local({MakeRecord(1, RecordState::kActive), pending}), Live(Metadata(2)));
  EXPECT_EQ(report.facts["pendingStableObservationCount"], 3);
  EXPECT_EQ(report.facts["pendingPromotesAfter"], "2023-11-14T23:38:10Z");  // stable plus 90 s
}

TEST(RotationReportTest, ShowsLocalFactsWhenOpenBaoDoesNotAnswer) {
  const Reported report = Report(
      RotatedRegistry(), {.metadata = {}, .failure = "read of the key's metadata failed: sealed"});
  EXPECT_THAT(report.failure, HasSubstr("sealed"));
  EXPECT_EQ(report.facts["transitMetadataStatus"], "fail");
  EXPECT_THAT(report.facts["transitMetadataError"].get<std::string>(), HasSubstr("sealed"));
  EXPECT_EQ(report.facts["activeTransitVersion"], 2);
  EXPECT_FALSE(report.facts.contains("latestTransitVersion"));
}

TEST(RotationReportTest, ReportsTheFirstStateOfAnUnrotatedKeyOnly) {
  const Reported first = Report({}, Live(Metadata(1)));
  EXPECT_EQ(first.failure, "");
  EXPECT_EQ(first.facts["stateBootstrapEligible"], true);
  EXPECT_EQ(first.facts["activeTransitVersion"], 1);
  const std::vector<std::pair<std::string, std::function<void(contract::TransitKeyMetadata&)>>>
      cases = {
          {"latest_version=2",
           [](auto& metadata) {
             metadata = Metadata(2);
           }},
          {"min_decryption_version=2",
           [](auto& m) {
             m.min_decryption_version = 2;
           }},
          {"min_available_version=2",
           [](auto& m) {
             m.min_available_version = 2;
           }},
          {"export is enabled",
           [](auto& metadata) {
             metadata.exportable = true;
           }},
      };
  for (const auto& [reason, change] : cases) {
    contract::TransitKeyMetadata metadata = Metadata(1);
    change(metadata);
    const Reported report = Report({}, Live(metadata));
    EXPECT_THAT(report.failure,
                HasSubstr("local registry state is absent and cannot be auto-bootstrapped"))
        << reason;
    EXPECT_THAT(report.facts["stateBootstrapReason"].get<std::string>(), HasSubstr(reason));
    EXPECT_FALSE(report.facts.contains("activeKeyIdHash")) << reason;
    EXPECT_EQ(report.facts["rotationState"], "unknown") << reason;
  }
}

TEST(RotationReportTest, RefusesACheckpointThatIsAlone) {
  LocalRegistry local;
  local.checkpoint = contract::CheckpointOf(FirstState());
  local.problem = RegistryProblem{
      RegistryFault::kRolledBack, "/state",
      Error(ErrorCode::kFailedPrecondition, "state file missing with checkpoint present")};
  const Reported report = Report(local, Live(Metadata(1)));
  EXPECT_THAT(report.failure, HasSubstr("state file missing with checkpoint present"));
  EXPECT_EQ(report.facts["stateCheckpointLoaded"], true);
  EXPECT_FALSE(report.facts.contains("activeKeyIdHash"));
  EXPECT_FALSE(report.facts.contains("stateBootstrapEligible"));
}

TEST(RotationReportTest, FailsWhereTheProviderWouldRefuse) {
  EXPECT_THAT(Report(RotatedRegistry(), Live(Metadata(1))).failure, HasSubstr("version 1"));
  contract::TransitKeyMetadata raised = Metadata(2);
  raised.min_decryption_version = 2;
  EXPECT_THAT(Report(RotatedRegistry(), Live(raised)).failure, HasSubstr("min_decryption_version"));
  contract::TransitKeyMetadata recreated = Metadata(2);
  recreated.versions[0].created_at_unix += 1;
  EXPECT_THAT(Report(RotatedRegistry(), Live(recreated)).failure, HasSubstr("another key"));
}

TEST(FindLiveProblemTest, LooksOnlyAtWhatDecrypts) {
  contract::TransitKeyMetadata raised = Metadata(2);
  raised.min_decryption_version = 2;
  const auto retired =
      Registry({MakeRecord(2, RecordState::kActive), MakeRecord(1, RecordState::kRetired)});
  const auto removed =
      Registry({MakeRecord(2, RecordState::kActive), MakeRecord(1, RecordState::kRemoved)});
  EXPECT_NE(FindLiveProblem(retired, raised, FixtureIdentity(), kNow), "");
  EXPECT_EQ(FindLiveProblem(removed, raised, FixtureIdentity(), kNow), "");
}

TEST(UtcTextTest, WritesRfc3339) {
  EXPECT_EQ(UtcText(0), "1970-01-01T00:00:00Z");
  EXPECT_EQ(UtcText(1'709'210'096), "2024-02-29T12:34:56Z");
}

}  // namespace
}  // namespace baokms::supervisor
