#include "common/contract/key_profile.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/contract/limits.h"

namespace baokms::contract {
namespace {

TransitKeyMetadata GoodKey() {
  TransitKeyMetadata metadata;
  metadata.name = "k8s-workload-a-etcd";
  metadata.type = "aes256-gcm96";
  metadata.latest_version = 3;
  metadata.min_available_version = 1;
  metadata.min_decryption_version = 1;
  metadata.versions = {{2, 1700000120}, {3, 1700000180}, {1, 1700000060}};
  metadata.derived = false;
  metadata.convergent_encryption = false;
  metadata.exportable = false;
  metadata.allow_plaintext_backup = false;
  metadata.deletion_allowed = false;
  metadata.soft_deleted = false;
  metadata.supports_encryption = true;
  metadata.supports_decryption = true;
  return metadata;
}

struct ProfileRow {
  std::string_view code;
  std::string_view text;
  void (*spoil)(TransitKeyMetadata&);
};

using MetadataRef = TransitKeyMetadata&;

constexpr auto kProfileRows = std::to_array<ProfileRow>({
    {"unsupported_type", "blocking/cryptographic_safety: key type is not aes256-gcm96",
     [](MetadataRef m) {
       m.type = "aes128-gcm96";
     }},
    {"exportable", "blocking/cryptographic_safety: key material export is enabled",
     [](MetadataRef m) {
       m.exportable = true;
     }},
    {"plaintext_backup", "blocking/cryptographic_safety: plaintext backup is enabled",
     [](MetadataRef m) {
       m.allow_plaintext_backup = true;
     }},
    {"deletion_allowed", "blocking/api_server_availability: key deletion is allowed",
     [](MetadataRef m) {
       m.deletion_allowed = true;
     }},
    {"derived",
     "blocking/cryptographic_safety: the key is derived, which cannot be undone: create another "
     "key and change transit.keyName",
     [](MetadataRef m) {
       m.derived = true;
     }},
    {"convergent", "blocking/cryptographic_safety: convergent encryption is enabled",
     [](MetadataRef m) {
       m.convergent_encryption = true;
     }},
    {"min_encryption_version",
     "blocking/api_server_availability: minimum encryption version blocks latest version",
     [](MetadataRef m) {
       m.min_encryption_version = 4;
     }},
    {"min_decryption_version",
     "blocking/api_server_availability: minimum decryption version exceeds latest version",
     [](MetadataRef m) {
       m.min_decryption_version = 4;
     }},
    {"encryption_unsupported", "blocking/api_server_availability: key does not support encryption",
     [](MetadataRef m) {
       m.supports_encryption = false;
     }},
    {"decryption_unsupported", "blocking/api_server_availability: key does not support decryption",
     [](MetadataRef m) {
       m.supports_decryption = false;
     }},
});

TEST(KeyProfileTest, FindsNothingWrongWithAGoodKey) {
  EXPECT_TRUE(CheckVersionBounds(GoodKey()).has_value());
  EXPECT_TRUE(FindProfileProblems(GoodKey()).empty());
  EXPECT_TRUE(CheckVersionEntries(GoodKey()).has_value());
  EXPECT_EQ(FormatFindings({}), "");
}

TEST(KeyProfileTest, FindsEachProblemAlone) {
  for (const ProfileRow& row : kProfileRows) {
    SCOPED_TRACE(row.code);
    TransitKeyMetadata metadata = GoodKey();
    row.spoil(metadata);
    const auto findings = FindProfileProblems(metadata);
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(findings.front().code, row.code);
    EXPECT_EQ(FormatFindings(findings), row.text);
  }
}

TEST(KeyProfileTest, FindsAllProblemsInTheOrderOfTheContract) {
  TransitKeyMetadata metadata = GoodKey();
  std::string expected;
  for (const ProfileRow& row : kProfileRows) {
    row.spoil(metadata);
    expected.append(expected.empty() ? "" : "; ").append(row.text);
  }
  EXPECT_EQ(FormatFindings(FindProfileProblems(metadata)), expected);
}

TEST(KeyProfileTest, AcceptsMinimumVersionsUpToTheLatest) {
  TransitKeyMetadata metadata = GoodKey();
  metadata.min_encryption_version = 3;
  metadata.min_decryption_version = 3;
  EXPECT_TRUE(FindProfileProblems(metadata).empty());
}

TEST(KeyProfileTest, IgnoresFlagsThatDoNotMatter) {
  TransitKeyMetadata metadata = GoodKey();
  metadata.imported_key = !metadata.imported_key;
  metadata.supports_derivation = true;
  metadata.supports_signing = true;
  metadata.auto_rotate_period = 3600;
  EXPECT_TRUE(FindProfileProblems(metadata).empty());
}

TEST(KeyProfileTest, RefusesMetadataThatNobodyFilledIn) {
  const TransitKeyMetadata metadata;
  EXPECT_FALSE(CheckVersionBounds(metadata).has_value());
  EXPECT_EQ(FindProfileProblems(metadata).size(), 8U);
  EXPECT_FALSE(CheckVersionEntries(metadata).has_value());
}

TEST(KeyProfileTest, ChecksTheVersionBounds) {
  const auto with = [](void (*spoil)(MetadataRef)) {
    TransitKeyMetadata metadata = GoodKey();
    spoil(metadata);
    return CheckVersionBounds(metadata).error().what();
  };
  EXPECT_EQ(with([](MetadataRef m) { m.latest_version = 0; }), "key has no latest version");
  EXPECT_EQ(with([](MetadataRef m) { m.min_available_version = -1; }),
            "minimum available version is negative");
  EXPECT_EQ(with([](MetadataRef m) { m.soft_deleted = true; }), "key is soft deleted");
  EXPECT_EQ(with([](MetadataRef m) { m.min_available_version = 4; }),
            "minimum available version exceeds latest version");
}

TEST(KeyProfileTest, ChecksTheVersionEntries) {
  const auto with = [](std::vector<KeyVersion> versions) {
    TransitKeyMetadata metadata = GoodKey();
    metadata.versions = std::move(versions);
    return CheckVersionEntries(metadata).error().what();
  };
  EXPECT_EQ(with({{0, 1}, {3, 1}}), "key version is out of range");
  EXPECT_EQ(with({{4, 1}, {3, 1}}), "key version is out of range");
  EXPECT_EQ(with({{3, 0}}), "key version has no creation time");
  EXPECT_EQ(with({{3, -1}}), "key version has no creation time");
  EXPECT_EQ(with({{3, 1}, {3, 2}}), "key version is listed twice");
  EXPECT_EQ(with({}), "latest key version is not listed");
  EXPECT_EQ(with({{2, 1}}), "latest key version is not listed");
  EXPECT_EQ(with(std::vector<KeyVersion>(kMaxListedVersions + 1)), "key has too many versions");
}

TEST(KeyProfileTest, KnowsWhenAVersionWasCreated) {
  EXPECT_EQ(CreationTime(GoodKey(), 2).value(), 1700000120);
  EXPECT_EQ(CreationTime(GoodKey(), 4).error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace baokms::contract
