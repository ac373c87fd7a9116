#include "common/contract/identity.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "common/contract/limits.h"
#include "tests/contract/vectors.h"

namespace baokms::contract {
namespace {

using vectors::GoldenConfig;

TEST(IdentityTest, MatchesTheFingerprintVectors) {
  const auto rows = vectors::ReadJson("computed/identity-fingerprint-vectors.json");
  ASSERT_EQ(rows.size(), 2U);
  for (const auto& row : rows) {
    SCOPED_TRACE(row.at("name").get<std::string>());
    const auto json = vectors::Json::parse(row.at("json").get<std::string>());
    const ConfigIdentity identity{.key = {.provider_name = json.at("provider_name"),
                                          .cluster_id = json.at("cluster_id"),
                                          .instance_id = json.at("openbao_instance_id"),
                                          .namespace_path = json.value("openbao_namespace", ""),
                                          .transit_mount_id = json.at("transit_mount_id"),
                                          .key_lineage_id = json.at("key_lineage_id")},
                                  .transit_mount_path = json.at("transit_mount_path"),
                                  .transit_key_name = json.at("transit_key_name")};
    EXPECT_EQ(Fingerprint(identity).value().text(), row.at("fingerprint").get<std::string>());
  }
}

TEST(IdentityTest, EveryValueChangesTheFingerprint) {
  const auto golden = Fingerprint(GoldenConfig()).value();
  for (const auto member : {&KeyIdentity::provider_name, &KeyIdentity::cluster_id,
                            &KeyIdentity::instance_id, &KeyIdentity::namespace_path,
                            &KeyIdentity::transit_mount_id, &KeyIdentity::key_lineage_id}) {
    ConfigIdentity other = GoldenConfig();
    (other.key.*member).append("x");
    EXPECT_FALSE(Fingerprint(other).value() == golden);
  }
  for (const auto member :
       {&ConfigIdentity::transit_mount_path, &ConfigIdentity::transit_key_name}) {
    ConfigIdentity other = GoldenConfig();
    (other.*member).append("x");
    EXPECT_FALSE(Fingerprint(other).value() == golden);
  }
}

TEST(IdentityTest, AcceptsUnusualIdentifiers) {
  for (const std::string_view text : {"a", "kms <a>&b", "kms-é中-\u2028x",
                                      "a\x01"
                                      "b",
                                      "/", "%", "a  b"}) {
    SCOPED_TRACE(text);
    EXPECT_TRUE(IsIdentifier(text));
  }
}

TEST(IdentityTest, RefusesBadIdentifiers) {
  for (const std::string_view text :
       {"", " ", " a", "a ", "\u00A0a", "a\u00A0", "a\u2028", "\u3000a", "\u0085", "a\u1680", "a\v",
        "\fa", "a\nb", "a\rb", "a\tb", "a\xFF", "\xC0\x80"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(IsIdentifier(text));
  }
  EXPECT_FALSE(IsIdentifier(std::string_view("a\0b", 3)));
}

TEST(IdentityTest, BoundsEveryValue) {
  EXPECT_TRUE(IsIdentifier(std::string(kMaxIdentityFieldBytes, 'a')));
  const std::string longer(kMaxIdentityFieldBytes + 1, 'a');
  EXPECT_FALSE(IsIdentifier(longer));
  EXPECT_FALSE(IsNamespacePath(longer));
  EXPECT_FALSE(IsMountPath(longer));
  EXPECT_FALSE(IsTransitKeyName(longer));
}

TEST(IdentityTest, ChecksNamespacePaths) {
  for (const std::string_view text : {"", "admin", "admin/workload-a", "a b/c", "...", "a/.b"}) {
    SCOPED_TRACE(text);
    EXPECT_TRUE(IsNamespacePath(text));
  }
  for (const std::string_view text : {"/a", "a/", "a//b", "/", ".", "..", "a/.", "a/../b", "a%2Fb",
                                      " a", "a ", "a\tb", "a\nb", "a\rb", "\u2003a"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(IsNamespacePath(text));
  }
  EXPECT_FALSE(IsNamespacePath(std::string_view("a\0b", 3)));
}

TEST(IdentityTest, ChecksMountPaths) {
  for (const std::string_view text : {"transit", "kms/transit", "a%b", "é"}) {
    SCOPED_TRACE(text);
    EXPECT_TRUE(IsMountPath(text));
  }
  for (const std::string_view text :
       {"", "/a", "a/", "a//b", ".", "a/..", " a", "a\x01", "a\x7F", "a\u0080z"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(IsMountPath(text));
  }
}

TEST(IdentityTest, ChecksTransitKeyNames) {
  for (const std::string_view text : {"a", "_", "k8s-workload-a-etcd", "a.b", "A1_", "a--b"}) {
    SCOPED_TRACE(text);
    EXPECT_TRUE(IsTransitKeyName(text));
  }
  for (const std::string_view text : {"", "-a", "a-", ".a", "a.", "a/b", "a b", "é", "a\n"}) {
    SCOPED_TRACE(text);
    EXPECT_FALSE(IsTransitKeyName(text));
  }
}

TEST(IdentityTest, NamesTheValueThatIsWrong) {
  ConfigIdentity identity = GoldenConfig();
  identity.key.cluster_id.clear();
  EXPECT_EQ(Validate(identity).error().what(), "cluster id is not valid");
  EXPECT_FALSE(Fingerprint(identity).has_value());
  identity = GoldenConfig();
  identity.transit_key_name = "a/b";
  EXPECT_EQ(Validate(identity).error().what(), "transit key name is not valid");
  identity.transit_mount_path = "/transit";
  EXPECT_EQ(Validate(identity).error().what(), "transit mount path is not valid");
  EXPECT_TRUE(Validate(GoldenConfig()).has_value());
}

TEST(IdentityTest, RefusesEveryBitFlipAndTruncationOfAWrittenFingerprintUnlessItIsAnother) {
  const auto fingerprint = Fingerprint(GoldenConfig()).value();
  const std::string text(fingerprint.text());
  vectors::ForEachTruncation(text, [](std::string_view cut) {
    EXPECT_FALSE(IdentityFingerprint::Parse(cut).has_value()) << cut.size();
  });
  vectors::ForEachBitFlip(text, [&fingerprint](std::string_view flipped, std::size_t bit) {
    const auto parsed = IdentityFingerprint::Parse(flipped);
    EXPECT_FALSE(parsed.has_value() && *parsed == fingerprint) << bit;
    EXPECT_TRUE(!parsed.has_value() || parsed->text() == flipped) << bit;
  });
}

}  // namespace
}  // namespace baokms::contract
