#include "common/contract/key_binding.h"

#include <string>

#include <gtest/gtest.h>

#include "common/contract/encoding.h"
#include "tests/contract/vectors.h"

namespace baokms::contract {
namespace {

TEST(KeyBindingTest, HashesEachValueOfTheIdentity) {
  const auto key = BindKey(vectors::NamespacedIdentity(), vectors::kGoldenVersion).value();
  EXPECT_EQ(key.key_id.text(), "obk2.b3fTfWDr7h30L8wdr0uCJOzAF3nVfRJf5r_hBWywYik");
  EXPECT_EQ(key.transit_version, 3);
  EXPECT_EQ(key.provider_name, "openbao-kms-workload-a");
  EXPECT_EQ(key.key_id_hash, HashText(key.key_id.text()));
  EXPECT_EQ(key.cluster_hash, HashText("workload-a"));
  EXPECT_EQ(key.instance_hash, HashText("bao-prod-a"));
  EXPECT_EQ(key.namespace_hash, HashText("admin/workload-a"));
  EXPECT_EQ(key.mount_hash, HashText("transit-prod-primary"));
  EXPECT_EQ(key.lineage_hash, HashText("01HXEXAMPLEKEYLINEAGEID"));
}

TEST(KeyBindingTest, HasNoNamespaceHashWithoutANamespace) {
  const auto key = BindKey(vectors::GoldenIdentity(), vectors::kGoldenVersion).value();
  EXPECT_EQ(key.namespace_hash, "");
}

TEST(KeyBindingTest, RefusesWhatHasNoKeyId) {
  EXPECT_FALSE(BindKey({}, vectors::kGoldenVersion).has_value());
  EXPECT_FALSE(BindKey(vectors::GoldenIdentity(), {}).has_value());
}

TEST(KeyBindingTest, AadMatchesTheGoldenVector) {
  const auto golden = vectors::ReadJson("key-aad/golden-v1.json");
  const auto key =
      BindKey(vectors::IdentityOf(golden.at("snapshot")), vectors::VersionOf(golden.at("snapshot")))
          .value();
  EXPECT_EQ(CanonicalAad(key), golden.at("expectedCanonicalAAD").get<std::string>());
  EXPECT_EQ(AssociatedData(key), golden.at("expectedTransitAAD").get<std::string>());
}

TEST(KeyBindingTest, AadMatchesTheComputedVectors) {
  const auto rows = vectors::ReadJson("computed/key-aad-vectors.json");
  ASSERT_EQ(rows.size(), 5U);
  for (const auto& row : rows) {
    SCOPED_TRACE(row.at("name").get<std::string>());
    const auto& input = row.at("input");
    const auto key = BindKey(vectors::IdentityOf(input), vectors::VersionOf(input)).value();
    EXPECT_EQ(CanonicalAad(key), row.at("canonicalAAD").get<std::string>());
    EXPECT_EQ(AssociatedData(key), row.at("transitAssociatedData").get<std::string>());
  }
}

TEST(KeyBindingTest, ProbesWithATextThatNoKeyCanHave) {
  EXPECT_EQ(EncodeBase64(AsBytes(kStatusProbeAad)), kStatusProbeAssociatedData);
  EXPECT_NE(kStatusProbeAad.front(), '{');
}

}  // namespace
}  // namespace baokms::contract
