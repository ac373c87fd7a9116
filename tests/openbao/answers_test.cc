#include "common/openbao/answers.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "common/contract/json_reader.h"
#include "common/contract/key_id.h"
#include "common/contract/limits.h"
#include "common/openbao/http_limits.h"
#include "ipc/limits.h"

namespace baokms::openbao {
namespace {

constexpr std::string_view kMetadata =
    R"({"request_id":"351a0472-5ac6","lease_id":"","renewable":false,"lease_duration":0,"data":{)"
    R"("allow_plaintext_backup":false,"auto_rotate_period":0,"deletion_allowed":false,)"
    R"("derived":false,"exportable":false,"imported_key":false,"keys":{"1":1700000060,)"
    R"("2":1700000120},"latest_version":2,"min_available_version":0,"min_decryption_version":1,)"
    R"("min_encryption_version":0,"name":"k8s","soft_deleted":false,"supports_decryption":true,)"
    R"("supports_derivation":true,"supports_encryption":true,"supports_signing":false,)"
    R"("type":"aes256-gcm96"},"wrap_info":null,"warnings":null,"auth":null})";

constexpr std::string_view kLogin =
    R"({"request_id":"r","data":null,"auth":{"client_token":"s.abc","accessor":"x",)"
    R"("policies":["default"],"metadata":null,"lease_duration":3600,"renewable":true}})";

std::string Replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string result(text);
  const std::size_t at = result.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return result.replace(at, from.size(), to);
}

std::string Revealed(const SecretBuffer& secret) {
  const auto bytes = secret.Reveal();
  return {bytes.begin(), bytes.end()};
}

TEST(AnswersTest, ReadsTheMetadataOfARealServer) {
  const auto answer = ParseKeyMetadata(kMetadata);
  ASSERT_TRUE(answer.has_value());
  const contract::TransitKeyMetadata& key = answer->value;
  EXPECT_EQ(answer->request_id, "351a0472-5ac6");
  EXPECT_EQ(key.name, "k8s");
  EXPECT_EQ(key.type, "aes256-gcm96");
  EXPECT_EQ(key.latest_version, 2);
  EXPECT_EQ(key.min_available_version, 0);
  EXPECT_EQ(key.min_encryption_version, 0);
  EXPECT_EQ(key.min_decryption_version, 1);
  EXPECT_EQ(key.versions, (std::vector<contract::KeyVersion>{{1, 1700000060}, {2, 1700000120}}));
  EXPECT_FALSE(key.derived || key.convergent_encryption || key.exportable ||
               key.allow_plaintext_backup || key.deletion_allowed || key.imported_key ||
               key.soft_deleted || key.supports_signing);
  EXPECT_TRUE(key.supports_encryption && key.supports_decryption && key.supports_derivation);
}

TEST(AnswersTest, TakesEachFlagFromItsOwnMember) {
  struct Row {
    std::string_view member;
    bool contract::TransitKeyMetadata::*flag;
  };

  using Key = contract::TransitKeyMetadata;
  constexpr std::array<Row, 7> kRows{{{"derived", &Key::derived},
                                      {"exportable", &Key::exportable},
                                      {"allow_plaintext_backup", &Key::allow_plaintext_backup},
                                      {"deletion_allowed", &Key::deletion_allowed},
                                      {"imported_key", &Key::imported_key},
                                      {"soft_deleted", &Key::soft_deleted},
                                      {"supports_signing", &Key::supports_signing}}};
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.member);
    const std::string name = "\"" + std::string(row.member) + "\":";
    const auto answer = ParseKeyMetadata(Replaced(kMetadata, name + "false", name + "true"));
    ASSERT_TRUE(answer.has_value());
    Key expected = ParseKeyMetadata(kMetadata).value().value;
    expected.*row.flag = true;
    EXPECT_EQ(answer->value, expected);
  }
}

TEST(AnswersTest, RefusesMetadataWithoutAMemberThatIsJudged) {
  for (const std::string_view member :
       {"name", "type", "latest_version", "min_available_version", "min_encryption_version",
        "min_decryption_version", "keys", "derived", "exportable", "allow_plaintext_backup",
        "deletion_allowed", "supports_encryption", "supports_decryption"}) {
    SCOPED_TRACE(member);
    const std::string name = "\"" + std::string(member) + "\":";
    EXPECT_FALSE(ParseKeyMetadata(Replaced(kMetadata, name, "\"another\":")).has_value());
  }
}

TEST(AnswersTest, MemberNamesAreExact) {
  EXPECT_FALSE(ParseKeyMetadata(Replaced(kMetadata, "\"latest_version\"", "\"Latest_Version\"")));
  EXPECT_FALSE(ParseUpsert(R"({"Data":{"disable_upsert":true}})").has_value());
}

TEST(AnswersTest, RefusesEveryTruncation) {
  for (std::size_t size = 0; size < kMetadata.size(); ++size) {
    ASSERT_FALSE(ParseKeyMetadata(kMetadata.substr(0, size)).has_value()) << size;
  }
  for (std::size_t size = 0; size < kLogin.size(); ++size) {
    ASSERT_FALSE(ParseLogin(kLogin.substr(0, size)).has_value()) << size;
  }
}

TEST(AnswersTest, RefusesGarbageBehindEveryByte) {
  for (std::size_t at = 0; at <= kMetadata.size(); ++at) {
    for (const char garbage : {'\0', '\x01', '\x80'}) {
      std::string body(kMetadata);
      body.insert(at, 1, garbage);
      ASSERT_FALSE(ParseKeyMetadata(body).has_value()) << at;
    }
  }
}

TEST(AnswersTest, RefusesADuplicateAtAnyDepth) {
  for (const std::string_view body :
       {R"({"data":{"disable_upsert":true},"data":{"disable_upsert":true}})",
        R"({"data":{"disable_upsert":true,"disable_upsert":true}})",
        R"({"data":{"disable_upsert":true,"x":[{"a":{"b":1,"b":1}}]}})",
        R"({"data":{"disable_upsert":true},"x":1,"\u0078":2})",
        R"({"request_id":"a","data":{"disable_upsert":true},"request_id":"a"})"}) {
    EXPECT_FALSE(ParseUpsert(body).has_value()) << body;
  }
  EXPECT_TRUE(ParseUpsert(R"({"a":{"x":1},"b":{"x":1},"data":{"disable_upsert":true}})"));
}

TEST(AnswersTest, RefusesWhatIsNotOneObject) {
  for (const std::string_view body :
       {"", " ", "null", "true", "1", "\"x\"", "[]", R"([{"data":{"disable_upsert":true}}])",
        R"({"data":{"disable_upsert":true}} {})", R"({"data":{"disable_upsert":true}},)",
        "\xEF\xBB\xBF{\"data\":{\"disable_upsert\":true}}",
        R"({"data":{"disable_upsert":true} /* c */})", R"({"data":{"disable_upsert":true,}})",
        R"({"data":{"disable_upsert":NaN}})", "{\"data\":{\"disable_upsert\":true},\"x\":\"\xff\"}",
        R"({"data":{"disable_upsert":true},"x":"\ud800"})"}) {
    EXPECT_FALSE(ParseUpsert(body).has_value()) << body;
  }
}

TEST(AnswersTest, RefusesAValueOfAnotherType) {
  for (const std::string_view value : {"null", "\"true\"", "1", "0", "[]", "{}", "[true]"}) {
    const std::string body = R"({"data":{"disable_upsert":)" + std::string(value) + "}}";
    EXPECT_FALSE(ParseUpsert(body).has_value()) << body;
  }
  for (const std::string_view value :
       {"null", "true", "\"2\"", "2.0", "2e0", "9223372036854775808", "18446744073709551616",
        "-9223372036854775809", "[2]", "{}", "+2", "02"}) {
    const std::string member = "\"latest_version\":" + std::string(value);
    EXPECT_FALSE(ParseKeyMetadata(Replaced(kMetadata, "\"latest_version\":2", member)).has_value())
        << value;
  }
  EXPECT_FALSE(ParseUpsert(R"({"data":[{"disable_upsert":true}]})").has_value());
}

TEST(AnswersTest, RefusesAKeyEntryThatIsNoVersionAndTime) {
  for (const std::string_view entry :
       {R"("1":{"creation_time":"x"})", R"("1":"1700000060")", R"("1":1700000060.5)", R"("1":null)",
        R"("1":[])", R"("0":1)", R"("-1":1)", R"("+1":1)", R"("01":1)", R"("":1)", R"("x":1)",
        R"("1 ":1)", R"("9223372036854775808":1)"}) {
    EXPECT_FALSE(ParseKeyMetadata(Replaced(kMetadata, R"("1":1700000060)", entry)).has_value())
        << entry;
  }
}

TEST(AnswersTest, TakesAsManyVersionsAsTheContractAndNoMore) {
  const auto metadata_with = [](std::size_t count) {
    std::string keys;
    for (std::size_t i = 1; i <= count; ++i) {
      keys += (i == 1 ? "\"" : ",\"") + std::to_string(i) + "\":1";  // short: the body fits
    }
    return ParseKeyMetadata(Replaced(kMetadata, R"("1":1700000060,"2":1700000120)", keys));
  };
  constexpr std::size_t kMax = contract::kMaxListedVersions;
  const auto most = metadata_with(kMax);
  ASSERT_TRUE(most.has_value());
  EXPECT_EQ(most->value.versions.size(), kMax);
  EXPECT_FALSE(metadata_with(kMax + 1).has_value());
}

TEST(AnswersTest, NestsAsDeepAsTheLimitAndNoDeeper) {
  const auto nested = [](std::size_t depth) {
    std::string body = R"({"data":{"disable_upsert":true},"x":)";
    body += std::string(depth, '[') + std::string(depth, ']') + "}";
    return ParseUpsert(body).has_value();
  };
  EXPECT_TRUE(nested(contract::kMaxJsonDepth - 1));  // the document itself is one level
  EXPECT_FALSE(nested(contract::kMaxJsonDepth));
  EXPECT_FALSE(nested(100000));
}

TEST(AnswersTest, KeepsARequestIdOnlyInItsForm) {
  const auto id_of = [](std::string_view id) {
    return ParseUpsert(R"({"request_id":")" + std::string(id) +
                       R"(","data":{"disable_upsert":true}})")
        .value()
        .request_id;
  };
  const std::string longest(ipc::kMaxRequestId, 'a');
  EXPECT_EQ(id_of("AZaz09-_.:"), "AZaz09-_.:");
  EXPECT_EQ(id_of(longest), longest);
  EXPECT_EQ(id_of(longest + "a"), "");
  for (const std::string_view bad : {"a b", "a/b", "a\\nb", "<a>", "a,b", "\xC3\xA4"}) {
    EXPECT_EQ(id_of(bad), "") << bad;
  }
  EXPECT_FALSE(ParseUpsert(R"({"request_id":5,"data":{"disable_upsert":true}})").has_value());
}

TEST(AnswersTest, ReadsAnEncryptAnswerWithAndWithoutAVersion) {
  const auto with = ParseEncrypt(R"({"data":{"ciphertext":"vault:v3:AAAA","key_version":3}})");
  ASSERT_TRUE(with.has_value());
  EXPECT_EQ(with->value.ciphertext, "vault:v3:AAAA");
  EXPECT_EQ(with->value.key_version, 3);
  const auto without = ParseEncrypt(R"({"data":{"ciphertext":"vault:v3:AAAA"}})");
  ASSERT_TRUE(without.has_value());
  EXPECT_FALSE(without->value.key_version.has_value());
  EXPECT_FALSE(ParseEncrypt(R"({"data":{"key_version":3}})").has_value());
  EXPECT_FALSE(ParseEncrypt(R"({"data":{"ciphertext":"a","key_version":"3"}})").has_value());
  EXPECT_FALSE(ParseEncrypt(R"({"ciphertext":"a"})").has_value());
}

TEST(AnswersTest, DecodesCanonicalPlaintextOnly) {
  const auto plaintext_of = [](std::string_view text) {
    return ParseDecrypt(R"({"data":{"plaintext":")" + std::string(text) + R"("}})");
  };
  EXPECT_EQ(Revealed(plaintext_of("aGVsbG8=")->value), "hello");
  EXPECT_EQ(Revealed(plaintext_of("aGVsbG8h")->value), "hello!");
  EXPECT_EQ(plaintext_of("")->value.size(), 0U);
  for (const std::string_view bad : {"aGVsbG8", "aGVsbG9=", "aGVs bG8=", "aGVsbG8=\\n", "=",
                                     "====", "a===", "YR==", "aGVsbG8-", "aGVs\\u0000bG8="}) {
    EXPECT_FALSE(plaintext_of(bad).has_value()) << bad;
  }
}

TEST(AnswersTest, ReadsALogin) {
  const auto answer = ParseLogin(kLogin);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(Revealed(answer->value.token), "s.abc");
  EXPECT_EQ(answer->value.lease_seconds, 3600);
  EXPECT_TRUE(answer->value.renewable);
}

TEST(AnswersTest, ALoginMustBringATokenThatFitsIntoAHeader) {
  for (const std::string_view token :
       {R"("")", "null", "5", R"("a b")", R"("a\r\nX: y")", R"("a\u0000")", "\"\xC3\xA4\""}) {
    EXPECT_FALSE(ParseLogin(Replaced(kLogin, R"("s.abc")", token)).has_value()) << token;
  }
  const auto of_size = [](std::size_t size) {
    return ParseLogin(Replaced(kLogin, "s.abc", std::string(size, 't'))).has_value();
  };
  EXPECT_TRUE(of_size(kMaxTokenBytes));
  EXPECT_FALSE(of_size(kMaxTokenBytes + 1));
}

TEST(AnswersTest, ARenewalMayKeepTheToken) {
  for (const std::string_view token : {R"("client_token":"",)", R"("client_token":null,)", ""}) {
    const auto answer = ParseRenewal(Replaced(kLogin, R"("client_token":"s.abc",)", token));
    ASSERT_TRUE(answer.has_value()) << token;
    EXPECT_EQ(answer->value.token.size(), 0U);
    EXPECT_EQ(answer->value.lease_seconds, 3600);
  }
  EXPECT_EQ(Revealed(ParseRenewal(kLogin)->value.token), "s.abc");
}

TEST(AnswersTest, ALeaseIsFromZeroToTheLimit) {
  const auto lease = [](const std::string& seconds) {
    return ParseLogin(Replaced(kLogin, "3600", seconds)).has_value();
  };
  EXPECT_TRUE(lease("0"));
  EXPECT_TRUE(lease(std::to_string(kMaxLeaseSeconds)));
  EXPECT_FALSE(lease(std::to_string(kMaxLeaseSeconds + 1)));
  EXPECT_FALSE(lease("-1"));
  EXPECT_FALSE(lease("3600.0"));
}

TEST(AnswersTest, FindsTheKnownPhrasesInErrorTextsOnly) {
  EXPECT_TRUE(ParseErrors(R"({"errors":["OpenBao is Sealed"]})").value.sealed);
  EXPECT_TRUE(ParseErrors(R"({"errors":["x","cipher: message authentication failed"]})")
                  .value.authentication_failed);
  for (const std::string_view body :
       {R"({"errors":[]})", R"({"errors":null})", "{}", "", "sealed", R"({"errors":["sea","led"]})",
        R"({"errors":"sealed"})", R"({"data":"sealed","errors":[]})", R"({"errors":["sealed"]})x)",
        R"({"errors":["sealed"],"errors":["sealed"]})", R"({"errors":[["sealed"]]})",
        R"({"data":{"errors":["sealed"]}})", R"({"errors":["sealed")"}) {
    EXPECT_FALSE(ParseErrors(body).value.sealed) << body;
  }
}

}  // namespace
}  // namespace baokms::openbao
