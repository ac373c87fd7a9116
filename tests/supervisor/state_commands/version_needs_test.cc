#include "supervisor/state_commands/version_needs.h"

#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/contract/encoding.h"
#include "proto/encrypted_object.pb.h"
#include "tests/supervisor/status/rotation_fixture.h"

namespace baokms::supervisor {
namespace {

using contract::RecordState;
using testing::ElementsAre;
using testing::HasSubstr;

std::string Stored(const std::string& provider,
                   std::string_view key_id,
                   const std::string& lineage = "another") {
  storedkms::EncryptedObject object;
  object.set_key_id(std::string(key_id));
  storedkms::StoredAnnotation& annotation = *object.add_annotations();
  annotation.set_key("transit-key-hash.kms.openbao.org");
  annotation.set_value(contract::HashText(lineage));
  return "k8s:enc:kms:v2:" + provider + ":" + object.SerializeAsString();
}

std::string Own(std::int64_t version) {
  const auto identity = FixtureIdentity().key;
  return Stored(identity.provider_name, MakeRecord(version, RecordState::kActive).key_id.text(),
                identity.key_lineage_id);
}

// Version 1 removed, 2 retired, 3 active.
contract::RegistryState State() {
  return Registry({MakeRecord(3, RecordState::kActive), MakeRecord(2, RecordState::kRetired),
                   MakeRecord(1, RecordState::kRemoved)});
}

EtcdInventory Of(const std::vector<std::string>& values) {
  EtcdInventory inventory;
  for (const std::string& value : values) {
    EXPECT_TRUE(inventory.Add("/registry/secrets/default/x", value).has_value());
  }
  return inventory;
}

VersionNeeds Classify(const std::vector<std::string>& values, std::int64_t latest = 3) {
  return CheckVersionNeeds(Of(values), State(), Metadata(latest));
}

TEST(VersionNeedsTest, IsSafeWhenEveryObjectIsOfTheActiveVersion) {
  const VersionNeeds needs = Classify({Own(3), Own(3), "plain", "k8s:enc:aescbc:v1:k:x"});
  EXPECT_EQ(needs.obstacle, "");
  EXPECT_THAT(needs.needed, ElementsAre(3));
  EXPECT_EQ(needs.safe_minimum, 3);
  EXPECT_EQ(needs.objects, 4U);
  EXPECT_EQ(needs.own, 2U);
  EXPECT_EQ(needs.plain, 1U);
}

TEST(VersionNeedsTest, IsUnsafeWhileOneObjectNeedsAnOlderVersion) {
  const VersionNeeds needs = Classify({Own(3), Own(3), Own(2)});
  EXPECT_THAT(needs.obstacle, HasSubstr("1 of version 2"));
  EXPECT_THAT(needs.needed, ElementsAre(2, 3));
  EXPECT_EQ(needs.safe_minimum, 2);
}

TEST(VersionNeedsTest, IsUnsafeWhenAnObjectNeedsARemovedVersion) {
  const VersionNeeds needs = Classify({Own(3), Own(1)});
  EXPECT_THAT(needs.obstacle, HasSubstr("restore-versions"));
  EXPECT_THAT(needs.needed, ElementsAre(1, 3));
  EXPECT_EQ(needs.safe_minimum, 1);
}

TEST(VersionNeedsTest, IsUnsafeForEveryKeyIdThatThisNodeDoesNotKnow) {
  const std::string provider = FixtureIdentity().key.provider_name;
  for (const std::string& stranger :
       {Own(4), Stored(provider, "obk2.malformed"), Stored(provider, ""),
        "k8s:enc:kms:v2:" + provider + ":\xff\xff"}) {
    const VersionNeeds needs = Classify({Own(3), stranger});
    EXPECT_THAT(needs.obstacle, HasSubstr("does not know"));
    EXPECT_EQ(needs.safe_minimum, 0);
  }
}

TEST(VersionNeedsTest, CountsAnotherProviderNameOnTheSameKeyAsUnknown) {
  const std::string lineage = FixtureIdentity().key.key_lineage_id;
  EXPECT_THAT(Classify({Own(3), Stored("renamed", "obk2.x", lineage)}).obstacle,
              HasSubstr("does not know"));
  EXPECT_EQ(Classify({Own(3), Stored("renamed", "obk2.x", "other-key")}).obstacle, "");
}

TEST(VersionNeedsTest, IsUnsafeDuringARotationAndWithoutAnyObjectOfThisProvider) {
  EXPECT_THAT(Classify({Own(3)}, 4).obstacle, HasSubstr("version 4 is not active"));
  const VersionNeeds nothing = Classify({"plain"});
  EXPECT_THAT(nothing.obstacle, HasSubstr("no object of this provider was found"));
  EXPECT_EQ(nothing.safe_minimum, 0);
}

TEST(VersionNeedsTest, ListsEveryGroupWithItsHashAndNoKeyId) {
  const VersionNeeds needs = Classify({Own(3), Own(2), "plain"});
  CommandReport report("s");
  report.AddRows("objects", "object", needs.groups);
  const std::string text = report.ToText();
  EXPECT_THAT(text, HasSubstr("object: encryption=none objects=1\n"));
  EXPECT_THAT(text, HasSubstr("transitVersion=2 state=retired objects=1\n"));
  EXPECT_THAT(text, HasSubstr("transitVersion=3 state=active objects=1\n"));
  EXPECT_THAT(text, HasSubstr(contract::HashText(State().active().key_id.text())));
  EXPECT_EQ(text.find("obk2."), std::string::npos);
}

TEST(VersionNeedsTest, NamesResourcesThatAreStoredInBothWays) {
  EtcdInventory inventory = Of({Own(3), "plain"});
  ASSERT_TRUE(inventory.Add("/registry/pods/default/p", "plain").has_value());
  const VersionNeeds needs = CheckVersionNeeds(inventory, State(), Metadata(3));
  ASSERT_EQ(needs.mixed.size(), 1U);
  EXPECT_EQ(std::get<std::string>(needs.mixed[0][0].second), "secrets");
  EXPECT_EQ(needs.obstacle, "");  // they need no version of the key
}

}  // namespace
}  // namespace baokms::supervisor
