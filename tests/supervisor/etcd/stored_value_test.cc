#include "supervisor/etcd/stored_value.h"

#include <cstddef>
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "proto/encrypted_object.pb.h"
#include "supervisor/etcd/etcd_inventory.h"

namespace baokms::supervisor {
namespace {

std::string KmsV2(const std::string& provider, const std::string& key_id) {
  storedkms::EncryptedObject object;
  object.set_encrypted_data(std::string(64, '\x01'));
  object.set_key_id(key_id);
  object.set_encrypted_dek_source("vault:v1:abc");
  storedkms::StoredAnnotation& lineage = *object.add_annotations();
  lineage.set_key("transit-key-hash.kms.openbao.org");
  lineage.set_value("lineage");
  storedkms::StoredAnnotation& version = *object.add_annotations();
  version.set_key("transit-key-version.kms.openbao.org");
  version.set_value("3");
  return "k8s:enc:kms:v2:" + provider + ":" + object.SerializeAsString();
}

TEST(StoredValueTest, ReadsWhoEncryptedAndWithWhichKey) {
  const StoredValue expected{.encryption = "kms-v2",
                             .provider = "openbao-kms-blue",
                             .key_id = "obk2.x",
                             .lineage_hash = "lineage",
                             .transit_version = "3"};
  EXPECT_EQ(ReadStoredValue(KmsV2("openbao-kms-blue", "obk2.x")), expected);
}

TEST(StoredValueTest, ReadsTheFirstBytesOfWhatKubernetesWrites) {
  // Field 2 of EncryptedObject after 3 bytes of data, as the protobuf wire format has it.
  const std::string bytes = "k8s:enc:kms:v2:p:\x0a\x03xyz\x12\x02id";
  EXPECT_EQ(ReadStoredValue(bytes).key_id, "id");
}

TEST(StoredValueTest, KnowsTheOtherWaysOfStoring) {
  const auto expect = [](const std::string& value, const char* encryption, const char* provider) {
    const StoredValue stored = ReadStoredValue(value);
    EXPECT_EQ(stored.encryption, encryption) << value;
    EXPECT_EQ(stored.provider, provider) << value;
    EXPECT_EQ(stored.key_id, "") << value;
  };
  expect(std::string("k8s\0\n\x0f", 6), "none", "");
  expect(R"({"kind":"Secret"})", "none", "");
  expect("", "none", "");
  expect("k8s:enc:kms:v1:old-name:data", "kms-v1", "old-name");
  expect("k8s:enc:aescbc:v1:key1:data", "aescbc", "key1");
  expect("k8s:enc:aesgcm:v1:key1:data", "aesgcm", "key1");
  expect("k8s:enc:secretbox:v1:key1:data", "secretbox", "key1");
  expect("k8s:enc:future:v1:key1:data", "unknown", "");
  expect("k8s:enc:kms:v2:no-colon", "unknown", "");
  expect("k8s:enc:", "unknown", "");
}

TEST(StoredValueTest, GivesNoKeyIdForAnObjectItCannotRead) {
  const std::string good = KmsV2("p", "obk2.x");
  for (const std::string& bad :
       {std::string("k8s:enc:kms:v2:p:\xff\xff\xff"), good.substr(0, good.size() - 1)}) {
    const StoredValue stored = ReadStoredValue(bad);
    EXPECT_EQ(stored.encryption, "kms-v2");
    EXPECT_EQ(stored.provider, "p");
    EXPECT_EQ(stored.key_id, "");
  }
}

TEST(StoredValueTest, TakesNoTextOverThatIsLongerThanAKeyIdMayBe) {
  EXPECT_EQ(ReadStoredValue(KmsV2("p", std::string(1023, 'k'))).key_id.size(), 1023U);
  EXPECT_EQ(ReadStoredValue(KmsV2("p", std::string(1024, 'k'))).key_id, "");
  EXPECT_EQ(ReadStoredValue("k8s:enc:aescbc:v1:" + std::string(1024, 'k') + ":").provider, "");
}

TEST(StoredValueTest, SurvivesEveryTruncationAndEveryFlippedBit) {
  const std::string good = KmsV2("p", "obk2.x");
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(ReadStoredValue(good.substr(0, size)) == ReadStoredValue(good)) << size;
  }
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    std::string flipped = good;
    const auto mask = static_cast<char>(1U << (bit % 8));
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ mask);
    EXPECT_LE(ReadStoredValue(flipped).key_id.size(), 1023U);
  }
}

TEST(InventoryTest, CountsByWayOfStoringAndByResource) {
  EtcdInventory inventory;
  ASSERT_TRUE(inventory.Add("/registry/secrets/default/a", KmsV2("p", "1")).has_value());
  ASSERT_TRUE(inventory.Add("/registry/secrets/default/b", KmsV2("p", "1")).has_value());
  ASSERT_TRUE(inventory.Add("/registry/secrets/default/c", "plain").has_value());
  ASSERT_TRUE(inventory.Add("/registry/pods/default/d", "plain").has_value());
  ASSERT_TRUE(inventory.Add("odd", "plain").has_value());
  EXPECT_EQ(inventory.groups().size(), 2U);
  EXPECT_EQ(inventory.groups().at(ReadStoredValue(KmsV2("p", "1"))), 2U);
  EXPECT_EQ(inventory.groups().at(ReadStoredValue("plain")), 3U);
  EXPECT_EQ(inventory.resources().at("secrets").encrypted, 2U);
  EXPECT_EQ(inventory.resources().at("secrets").plain, 1U);
  EXPECT_EQ(inventory.resources().at("pods").plain, 1U);
  EXPECT_EQ(inventory.resources().at("odd").plain, 1U);
}

TEST(InventoryTest, StopsAtItsMaximum) {
  EtcdInventory inventory;
  for (std::size_t i = 0; i < kMaxInventoryGroups; ++i) {
    ASSERT_TRUE(inventory.Add("/registry/secrets/x", KmsV2("p", std::to_string(i))).has_value())
        << i;
  }
  EXPECT_FALSE(inventory.Add("/registry/secrets/x", KmsV2("p", "one more")).has_value());
}

}  // namespace
}  // namespace baokms::supervisor
