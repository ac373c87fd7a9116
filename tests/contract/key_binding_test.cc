#include "common/contract/key_binding.h"

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

}  // namespace
}  // namespace baokms::contract
