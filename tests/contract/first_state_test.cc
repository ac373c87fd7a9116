#include <string>

#include <gtest/gtest.h>

#include "common/contract/registry_json.h"
#include "common/contract/registry_transition.h"
#include "tests/contract/vectors.h"

namespace baokms::contract {
namespace {

using vectors::GoldenConfig;

constexpr std::int64_t kNow = 1700000000;

TransitKeyMetadata UnrotatedKey() {
  TransitKeyMetadata metadata;
  metadata.latest_version = 1;
  metadata.min_available_version = 0;
  metadata.min_decryption_version = 1;
  metadata.versions = {vectors::kFirstVersion};
  return metadata;
}

// The vector's fingerprint is all zeros, so only that line and the hash can differ.
TEST(FirstStateTest, SaysWhatTheVectorSays) {
  const RegistryState made = BuildFirstState(GoldenConfig(), UnrotatedKey(), kNow).value();
  const RegistryState vector =
      ParseState(vectors::ReadFixture("computed/state-initial.v1alpha2.json")).value();
  RegistryContents contents = made.contents();
  EXPECT_EQ(contents.identity_fingerprint, Fingerprint(GoldenConfig()).value());
  contents.identity_fingerprint = vector.contents().identity_fingerprint;
  EXPECT_EQ(RegistryState::Create(contents).value(), vector);
}

TEST(FirstStateTest, SurvivesItsFile) {
  const RegistryState made = BuildFirstState(GoldenConfig(), UnrotatedKey(), kNow).value();
  EXPECT_EQ(ParseState(SerializeState(made)).value(), made);
}

TEST(FirstStateTest, RefusesRotatedKeys) {
  const auto with = [](void (*spoil)(TransitKeyMetadata&)) {
    TransitKeyMetadata metadata = UnrotatedKey();
    spoil(metadata);
    return BuildFirstState(GoldenConfig(), metadata, kNow);
  };
  for (const auto& refused : {with([](TransitKeyMetadata& m) { m.latest_version = 2; }),
                              with([](TransitKeyMetadata& m) { m.latest_version = 0; }),
                              with([](TransitKeyMetadata& m) { m.min_available_version = 2; }),
                              with([](TransitKeyMetadata& m) { m.min_decryption_version = 2; })}) {
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), ErrorCode::kFailedPrecondition);
  }
  EXPECT_FALSE(with([](TransitKeyMetadata& m) { m.versions.clear(); }).has_value());
  EXPECT_FALSE(with([](TransitKeyMetadata& m) { m.versions[0].created_at_unix = 0; }).has_value());
}

TEST(FirstStateTest, RefusesABrokenClockAndABrokenIdentity) {
  EXPECT_FALSE(BuildFirstState(GoldenConfig(), UnrotatedKey(), 0).has_value());
  EXPECT_FALSE(BuildFirstState({}, UnrotatedKey(), kNow).has_value());
}

}  // namespace
}  // namespace baokms::contract
