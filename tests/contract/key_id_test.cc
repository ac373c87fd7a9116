#include "common/contract/key_id.h"

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "common/contract/encoding.h"
#include "tests/contract/vectors.h"

namespace baokms::contract {
namespace {

using vectors::GoldenIdentity;
using vectors::kGoldenVersion;

constexpr std::string_view kGoldenKeyId = "obk2.ig7zS9_yvQrdlcvWgJUhA5q_fQYupc5jRX5MzhAMQSk";

std::string Derive(const KeyIdentity& identity, KeyVersion version) {
  return std::string(DeriveKeyId(identity, version).value().text());
}

TEST(KeyIdTest, MatchesTheGoldenVectors) {
  EXPECT_EQ(Derive(GoldenIdentity(), kGoldenVersion), kGoldenKeyId);
  EXPECT_EQ(Derive(GoldenIdentity(), vectors::kFirstVersion),
            "obk2.SU0bKFnl1E6uEttJ3yhQy_uGBWZ6MUOJrNH4VJwtz0k");
  EXPECT_EQ(Derive(GoldenIdentity(), vectors::kSecondVersion),
            "obk2.ImmpIXr3v4Fw4Im7457LAJiZdLOqK2dL6Nm3DEk-KEY");
  const auto golden = vectors::ReadJson("key-aad/golden-v1.json");
  EXPECT_EQ(
      Derive(vectors::IdentityOf(golden.at("snapshot")), vectors::VersionOf(golden.at("snapshot"))),
      golden.at("expectedKeyId").get<std::string>());
}

TEST(KeyIdTest, MatchesTheComputedVectors) {
  const auto rows = vectors::ReadJson("computed/key-aad-vectors.json");
  ASSERT_EQ(rows.size(), 5U);
  for (const auto& row : rows) {
    SCOPED_TRACE(row.at("name").get<std::string>());
    const auto& input = row.at("input");
    EXPECT_EQ(Derive(vectors::IdentityOf(input), vectors::VersionOf(input)),
              row.at("keyId").get<std::string>());
  }
}

TEST(KeyIdTest, ReadsBackWhatItWrote) {
  const KeyId derived = DeriveKeyId(GoldenIdentity(), kGoldenVersion).value();
  EXPECT_EQ(KeyId::Parse(derived.text()).value(), derived);
}

TEST(KeyIdTest, ChangesWithTheSecondOfCreation) {
  const auto key_id_at = [](std::int64_t second) {
    return Derive(GoldenIdentity(), {.number = 3, .created_at_unix = second});
  };
  EXPECT_EQ(key_id_at(1715803200), kGoldenKeyId);
  EXPECT_NE(key_id_at(1715803201), kGoldenKeyId);
  EXPECT_NE(key_id_at(1715803199), kGoldenKeyId);
}

TEST(KeyIdTest, ChangesWithEveryPart) {
  for (const auto member : {&KeyIdentity::provider_name, &KeyIdentity::cluster_id,
                            &KeyIdentity::instance_id, &KeyIdentity::namespace_path,
                            &KeyIdentity::transit_mount_id, &KeyIdentity::key_lineage_id}) {
    KeyIdentity other = GoldenIdentity();
    (other.*member).append("x");
    EXPECT_NE(Derive(other, kGoldenVersion), kGoldenKeyId);
  }
  EXPECT_NE(Derive(GoldenIdentity(), {.number = 4, .created_at_unix = 1715803200}), kGoldenKeyId);
}

TEST(KeyIdTest, DoesNotLetOnePartFlowIntoTheNext) {
  KeyIdentity moved = GoldenIdentity();
  moved.cluster_id = "workload-" + moved.cluster_id.substr(9);
  moved.provider_name = "openbao-kms-workload-aw";
  moved.cluster_id = "orkload-a";
  EXPECT_NE(Derive(moved, kGoldenVersion), kGoldenKeyId);
}

TEST(KeyIdTest, RefusesIncompleteIdentities) {
  for (const auto member :
       {&KeyIdentity::provider_name, &KeyIdentity::cluster_id, &KeyIdentity::instance_id,
        &KeyIdentity::transit_mount_id, &KeyIdentity::key_lineage_id}) {
    KeyIdentity other = GoldenIdentity();
    (other.*member).clear();
    EXPECT_FALSE(DeriveKeyId(other, kGoldenVersion).has_value());
  }
  KeyIdentity other = GoldenIdentity();
  other.namespace_path = "/admin";
  EXPECT_FALSE(DeriveKeyId(other, kGoldenVersion).has_value());
}

TEST(KeyIdTest, RefusesBadVersionsAndTimes) {
  constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
  for (const std::int64_t bad : {kLowest, std::int64_t{-1}, std::int64_t{0}}) {
    EXPECT_FALSE(DeriveKeyId(GoldenIdentity(), {.number = bad, .created_at_unix = 1}).has_value());
    EXPECT_FALSE(DeriveKeyId(GoldenIdentity(), {.number = 1, .created_at_unix = bad}).has_value());
  }
}

TEST(KeyIdTest, RejectsEveryTruncation) {
  vectors::ForEachTruncation(kGoldenKeyId, [](std::string_view cut) {
    EXPECT_FALSE(KeyId::Parse(cut).has_value()) << cut.size();
  });
}

// A flipped bit gives a malformed text or the key_id of nobody's key, never another spelling.
TEST(KeyIdTest, TakesNoBitFlipForTheSameKey) {
  const KeyId golden = KeyId::Parse(kGoldenKeyId).value();
  vectors::ForEachBitFlip(std::string(kGoldenKeyId),
                          [&golden](std::string_view flipped, std::size_t bit) {
                            const auto parsed = KeyId::Parse(flipped);
                            EXPECT_FALSE(parsed.has_value() && *parsed == golden) << bit;
                            EXPECT_TRUE(!parsed.has_value() || parsed->text() == flipped) << bit;
                          });
}

TEST(KeyIdTest, RejectsMalformedTexts) {
  const std::string golden(kGoldenKeyId);
  for (const std::string& text :
       {std::string(), golden + "A", golden + "=", "obk1." + golden.substr(5),
        "OBK2." + golden.substr(5), golden.substr(0, 47) + "+", golden.substr(0, 47) + "/",
        golden.substr(0, 47) + "l", " " + golden.substr(1), golden.substr(0, 47) + "\n"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(KeyId::Parse(text).has_value());
  }
}

}  // namespace
}  // namespace baokms::contract
