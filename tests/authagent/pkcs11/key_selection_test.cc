// Labels and PKCS#11 URIs: what they select, and which are refused.

#include "authagent/pkcs11/key_selection.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <p11-kit/pkcs11.h>

#include "common/base/error.h"
#include "common/base/result.h"

namespace baokms::authagent {
namespace {

constexpr const char* kModule = "/usr/lib/hsm.so";

CK_TOKEN_INFO Token(std::string_view label, std::string_view serial = "1") {
  CK_TOKEN_INFO token{};
  std::memset(token.label, ' ', sizeof token.label);
  std::memset(token.manufacturerID, ' ', sizeof token.manufacturerID);
  std::memset(token.model, ' ', sizeof token.model);
  std::memset(token.serialNumber, ' ', sizeof token.serialNumber);
  std::ranges::copy(label, token.label);
  std::ranges::copy(serial, token.serialNumber);
  return token;
}

std::string AttributeOf(const KeySelection& selection, CK_ATTRIBUTE_TYPE type) {
  const auto [attributes, count] = selection.KeyAttributes();
  for (std::size_t i = 0; i < count; ++i) {
    if (attributes[i].type == type) {
      return {static_cast<const char*>(attributes[i].pValue), attributes[i].ulValueLen};
    }
  }
  return "";
}

TEST(KeySelectionTest, SelectsByLabels) {
  const Result<KeySelection> selection = KeySelection::FromLabels(kModule, "token", "key");
  ASSERT_TRUE(selection);
  EXPECT_EQ(selection->module_path(), kModule);
  EXPECT_EQ(selection->module_key().view(), "auth.cert.pkcs11.modulePath");
  EXPECT_EQ(selection->pin_file(), "");
  EXPECT_TRUE(selection->Matches(Token("token")));
  EXPECT_TRUE(selection->Matches(Token("token", "2")));
  EXPECT_FALSE(selection->Matches(Token("token2")));
  EXPECT_FALSE(selection->Matches(Token("toke")));
  EXPECT_EQ(AttributeOf(*selection, CKA_LABEL), "key");
}

TEST(KeySelectionTest, RefusesLabelsThatNoTokenHas) {
  EXPECT_FALSE(KeySelection::FromLabels(kModule, std::string(33, 'a'), "key"));
  EXPECT_TRUE(KeySelection::FromLabels(kModule, std::string(32, 'a'), "key"));
  EXPECT_FALSE(KeySelection::FromLabels(kModule, "", "key"));
  EXPECT_FALSE(KeySelection::FromLabels(kModule, "token", ""));
}

TEST(KeySelectionTest, SelectsByUri) {
  const Result<KeySelection> selection = KeySelection::FromUri(
      "pkcs11:token=my%20token;serial=42;object=my%20key;id=%01%02;type=private"
      "?module-path=/opt/hsm.so&pin-source=file:///etc/pin",
      "");
  ASSERT_TRUE(selection) << selection.error().what();
  EXPECT_EQ(selection->module_path(), "/opt/hsm.so");
  EXPECT_EQ(selection->module_key().view(), "module-path of auth.cert.pkcs11.uri");
  EXPECT_EQ(selection->pin_file(), "/etc/pin");
  EXPECT_TRUE(selection->Matches(Token("my token", "42")));
  EXPECT_FALSE(selection->Matches(Token("my token", "43")));
  EXPECT_EQ(AttributeOf(*selection, CKA_LABEL), "my key");
  EXPECT_EQ(AttributeOf(*selection, CKA_ID), "\x01\x02");
  EXPECT_EQ(AttributeOf(*selection, CKA_CLASS), "");  // ours to add
}

TEST(KeySelectionTest, TakesTheModuleOfTheConfigurationWhereTheUriHasNone) {
  EXPECT_EQ(KeySelection::FromUri("pkcs11:token=t;object=k", kModule)->module_path(), kModule);
  EXPECT_EQ(KeySelection::FromUri("pkcs11:object=k?pin-source=/a/pin", kModule)->pin_file(),
            "/a/pin");
}

// RFC 3986, section 3.1: schemes ignore case. RFC 7512, section 2.4, and RFC 8089: file:/path.
TEST(KeySelectionTest, AcceptsEveryFormOfAPinFileOfThisHost) {
  for (const char* uri : {"PKCS11:object=k?pin-source=/etc/token_pin",
                          "pkcs11:object=k?pin-source=file:/etc/token_pin",
                          "pkcs11:object=k?pin-source=file:///etc/token_pin",
                          "pkcs11:object=k?pin-source=FILE://localhost/etc/token_pin"}) {
    const Result<KeySelection> selection = KeySelection::FromUri(uri, kModule);
    ASSERT_TRUE(selection) << uri << ": " << selection.error().what();
    EXPECT_EQ(selection->pin_file(), "/etc/token_pin") << uri;
    EXPECT_EQ(AttributeOf(*selection, CKA_LABEL), "k") << uri;
  }
}

TEST(KeySelectionTest, RefusesUrisThatAreUnclear) {
  for (const char* uri :
       {"", "pkcs11:", "pkcs12:token=t", "pkcs11:token=t;token=u", "pkcs11:token=t;object=k%00",
        "pkcs11:token=t;unheard-of=x", "pkcs11:token=t?pin-value=1234",
        "pkcs11:token=t?pin-source=|/bin/cat", "pkcs11:token=t?pin-source=file://host/pin",
        "pkcs11:token=t?pin-source=file:pin", "pkcs11:token=t?pin-source=pin",
        "pkcs11:token=t;type=cert", "pkcs11:token=t;type=public", "pkcs11:token=t?module-name=hsm",
        "pkcs11:token=t?module-path=/a&module-path=/b", "pkcs11:token=%zz"}) {
    EXPECT_FALSE(KeySelection::FromUri(uri, kModule)) << uri;
  }
}

}  // namespace
}  // namespace baokms::authagent
