#include <string>

#include <gtest/gtest.h>

#include "common/contract/encoding.h"
#include "common/contract/key_binding.h"
#include "tests/contract/vectors.h"

namespace baokms::contract {
namespace {

TEST(AadTest, MatchesTheGoldenVector) {
  const auto golden = vectors::ReadJson("key-aad/golden-v1.json");
  const auto key =
      BindKey(vectors::IdentityOf(golden.at("snapshot")), vectors::VersionOf(golden.at("snapshot")))
          .value();
  EXPECT_EQ(CanonicalAad(key), golden.at("expectedCanonicalAAD").get<std::string>());
  EXPECT_EQ(AssociatedData(key), golden.at("expectedTransitAAD").get<std::string>());
}

TEST(AadTest, MatchesTheComputedVectors) {
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

TEST(AadTest, ProbesWithATextThatNoKeyCanHave) {
  EXPECT_EQ(EncodeBase64(AsBytes(kStatusProbeAad)), kStatusProbeAssociatedData);
  EXPECT_NE(kStatusProbeAad.front(), '{');
}

}  // namespace
}  // namespace baokms::contract
