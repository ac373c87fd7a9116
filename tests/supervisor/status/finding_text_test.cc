#include "supervisor/status/finding_text.h"

#include <functional>
#include <string>
#include <vector>

#include "common/contract/limits.h"
#include "gmock/gmock.h"
#include "rotation_fixture.h"

namespace baokms::supervisor {
namespace {

using contract::RecordState;
using contract::TransitKeyMetadata;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

contract::RegistryState ThirdActive() {
  return Registry({MakeRecord(3, RecordState::kActive), MakeRecord(2, RecordState::kRetired),
                   MakeRecord(1, RecordState::kRemoved)});
}

std::string Describe(const TransitKeyMetadata& metadata) {
  const RotationPolicy policy;
  const auto state = ThirdActive();
  const auto seen =
      Observe(state, metadata, FixtureIdentity(), policy, Counting::kCounts, kObserved);
  return seen.failure.has_value() ? DescribeFinding(*seen.failure, state, metadata) : "";
}

TEST(FindingTextTest, TellsARollbackWithBothVersions) {
  auto metadata = Metadata(1);
  EXPECT_THAT(Describe(metadata),
              AllOf(HasSubstr("shows version 1"), HasSubstr("has used version 3"),
                    HasSubstr("snapshot older than the rotation"), HasSubstr("go on decrypting")));
}

struct Case {
  const char* name;
  std::function<void(TransitKeyMetadata&)> change;
  const char* text;
};

TEST(FindingTextTest, NamesTheVersionAndTheCause) {
  const Case kCases[] = {
      {"minimum raised", [](auto& m) { m.min_decryption_version = 3; },
       "version 2 is retained here but min_decryption_version is 3"},
      {"trimmed", [](auto& m) { m.min_available_version = 3; },
       "version 2 is retained here but OpenBao has trimmed it (min_available_version is 3)"},
      {"not shown", [](auto& m) { m.versions.erase(m.versions.begin() + 1); },
       "version 2 is retained here but OpenBao does not show it"},
      {"another key", [](auto& m) { m.versions[2].created_at_unix += 1; },
       "version 3 was created at another time"},
      {"exportable", [](auto& m) { m.exportable = true; },
       "blocking/cryptographic_safety: key material export is enabled"},
      {"soft deleted", [](auto& m) { m.soft_deleted = true; }, "key is soft deleted"},
      {"latest not listed", [](auto& m) { m.versions.pop_back(); },
       "latest key version is not listed"},
  };
  for (const Case& row : kCases) {
    SCOPED_TRACE(row.name);
    auto metadata = Metadata(3);
    row.change(metadata);
    EXPECT_THAT(Describe(metadata), HasSubstr(row.text));
  }
}

TEST(FindingTextTest, NamesAHoleAmongNewVersions) {
  auto metadata = Metadata(5);
  metadata.versions.erase(metadata.versions.begin() + 3);
  EXPECT_THAT(Describe(metadata), HasSubstr("between the active one and version 5"));
}

TEST(FindingTextTest, SaysNothingAboutAGoodKey) {
  EXPECT_THAT(Describe(Metadata(3)), IsEmpty());
  EXPECT_THAT(DescribeProfile(Metadata(3)), IsEmpty());
}

TEST(FindingTextTest, WarnsFromThreeQuartersOfTheRegistryOn) {
  std::vector<contract::KeyRecord> records = {MakeRecord(1, RecordState::kActive)};
  while (records.size() + 1 < contract::kManyKeyRecords) {
    records.push_back(
        MakeRecord(static_cast<std::int64_t>(records.size()) + 1, RecordState::kRemoved));
  }
  EXPECT_THAT(DescribeFilling(Registry(records)), IsEmpty());
  records.push_back(
      MakeRecord(static_cast<std::int64_t>(records.size()) + 1, RecordState::kRemoved));
  EXPECT_THAT(DescribeFilling(Registry(records)),
              AllOf(HasSubstr("holds 12288 of at most 16384"), HasSubstr("recover-state")));
}

TEST(FindingTextTest, TellsWhatToDoWithoutARegistry) {
  EXPECT_THAT(DescribeMissingState(Metadata(4)),
              AllOf(HasSubstr("latest version 4"), HasSubstr("recover-state")));
  EXPECT_THAT(DescribeMissingState(Metadata(1)), HasSubstr("version 1"));
}

TEST(FindingTextTest, TellsWhatBlocksEncryption) {
  auto metadata = Metadata(4);
  metadata.min_encryption_version = 4;
  EXPECT_THAT(DescribeBlockedEncryption(ThirdActive(), metadata),
              HasSubstr("min_encryption_version is 4, above the active version 3"));
}

}  // namespace
}  // namespace baokms::supervisor
