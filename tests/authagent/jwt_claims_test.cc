#include "authagent/jwt_claims.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "authagent/credential.h"
#include "common/base/result.h"
#include "common/contract/encoding.h"
#include "tests/authagent/jwt_text.h"

namespace baokms::authagent {
namespace {

constexpr std::string_view kFull =
    R"({"iss":"https://issuer.example","sub":"system:kms","aud":["a","b"],"exp":2000,"nbf":1000,)"
    R"("iat":1000.5,"extra":{"exp":[{"deep":null}],"list":[1,true,"x"]}})";

Result<JwtClaims> Parse(std::string_view token) {
  return ParseJwt(contract::AsBytes(token));
}

std::string_view Problem(std::string_view token) {
  const Result<JwtClaims> claims = Parse(token);
  return claims ? "accepted" : claims.error().what();
}

TEST(JwtClaimsTest, ReadsEveryClaim) {
  const Result<JwtClaims> claims = Parse(JwtText(kFull));
  ASSERT_TRUE(claims.has_value()) << claims.error().ToString();
  const JwtClaims expected{.issuer = "https://issuer.example",
                           .subject = "system:kms",
                           .audiences = {"a", "b"},
                           .expires = 2000,
                           .not_before = 1000,
                           .issued_at = 1000.5};
  EXPECT_EQ(*claims, expected);
}

TEST(JwtClaimsTest, ReadsOneAudienceAsAList) {
  const Result<JwtClaims> claims = Parse(JwtText(R"({"aud":"only","exp":1.25})"));
  ASSERT_TRUE(claims.has_value());
  EXPECT_EQ(claims->audiences, std::vector<std::string>{"only"});
  EXPECT_EQ(claims->expires, 1.25);
}

TEST(JwtClaimsTest, ToleratesThePaddingThatBase64WouldHave) {
  EXPECT_EQ(Problem("eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjF9.c2ln"), "accepted");
  EXPECT_EQ(Problem("eyJhbGciOiJSUzI1NiIgfQ==.eyJleHAiOjEyfQ==.c2ln"), "accepted");
  EXPECT_EQ(Problem("eyJhbGciOiJSUzI1NiIgfQ=.eyJleHAiOjEyfQ==.c2ln"),
            "the header or the payload of the JWT is not base64url");
  EXPECT_EQ(Problem("eyJhbGciOiJSUzI1NiJ9====.eyJleHAiOjF9.c2ln"),
            "the header or the payload of the JWT is not base64url");
}

TEST(JwtClaimsTest, RefusesTokensOfTheWrongShape) {
  struct Row {
    std::string token;
    std::string_view problem;
  };

  const std::string header = "eyJhbGciOiJSUzI1NiJ9";
  const std::string payload = "eyJleHAiOjF9";
  const std::array rows = {
      Row{"", "the token does not have the three parts of a JWT"},
      Row{header, "the token does not have the three parts of a JWT"},
      Row{header + "." + payload, "the token does not have the three parts of a JWT"},
      Row{header + "." + payload + ".c2ln.c2ln",
          "the token does not have the three parts of a JWT"},
      Row{"." + payload + ".c2ln", "the header or the payload of the JWT is empty"},
      Row{header + "..c2ln", "the header or the payload of the JWT is empty"},
      Row{header + "." + payload + ".", "the JWT has no signature"},
      Row{header + "." + payload + ".c2+n", "the signature of the JWT is not base64url"},
      Row{header + "." + payload + ".c2\"n", "the signature of the JWT is not base64url"},
      Row{"!" + header + "." + payload + ".c2ln",
          "the header or the payload of the JWT is not base64url"},
      Row{header + "." + payload + "=.c2ln",
          "the header or the payload of the JWT is not base64url"},
      Row{header + ".====.c2ln", "the header or the payload of the JWT is not base64url"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.token);
    EXPECT_EQ(Problem(row.token), row.problem);
  }
}

TEST(JwtClaimsTest, RefusesHeadersThatClaimNoSignature) {
  constexpr std::string_view kPayload = R"({"exp":1})";
  for (const std::string_view alg : {"none", "None", "NONE", "nOnE"}) {
    EXPECT_EQ(Problem(JwtText(kPayload, R"({"alg":")" + std::string(alg) + R"("})")),
              "the JWT is not signed: its alg is none");
  }
  for (const std::string_view header : {R"({})", R"({"alg":""})", R"({"alg":1})", R"({"alg":null})",
                                        R"({"alg":["RS256"]})", R"({"ALG":"RS256"})"}) {
    EXPECT_EQ(Problem(JwtText(kPayload, header)), "the header of the JWT has no alg") << header;
  }
  for (const std::string_view header : {"[]", "1", "x", R"({"alg":"RS256","alg":"none"})"}) {
    EXPECT_EQ(Problem(JwtText(kPayload, header)),
              "the header of the JWT is not one JSON object with unique names")
        << header;
  }
}

TEST(JwtClaimsTest, RefusesPayloadsThatAreNotOneStrictObject) {
  const std::string deep = R"({"exp":1,"x":)" + std::string(16, '[') + std::string(16, ']') + "}";
  const std::string wide = [] {
    std::string text = R"({"exp":1)";
    for (int i = 0; i < 300; ++i) {
      text += ",\"c" + std::to_string(i) + "\":1";
    }
    return text + "}";
  }();
  const std::vector<std::string> payloads = {"[1]",
                                             "1",
                                             "null",
                                             "\"text\"",
                                             "{",
                                             "{\"exp\":1}x",
                                             "{\"exp\":1}{}",
                                             "{'exp':1}",
                                             "{\"exp\":1,}",
                                             "{\"exp\":01}",
                                             "{\"exp\":+1}",
                                             "\xEF\xBB\xBF{\"exp\":1}",
                                             std::string("{\"exp\":1}\0", 10),
                                             R"({"exp":1,"exp":2})",
                                             R"({"exp":1,"e\u0078p":2})",
                                             R"({"exp":1,"x":{"y":1,"y":1}})",
                                             R"({"exp":1,"x":[{"y":1,"y":1}]})",
                                             "{\"exp\":1e999}",
                                             "{\"exp\":NaN}",
                                             "{\"exp\":1,\"x\":\"\xff\"}",
                                             deep,
                                             wide};
  for (const std::string& payload : payloads) {
    EXPECT_EQ(Problem(JwtText(payload)),
              "the payload of the JWT is not one JSON object with unique names")
        << payload.substr(0, 60);
  }
}

TEST(JwtClaimsTest, NamesTheClaimThatHasTheWrongType) {
  struct Row {
    std::string_view payload;
    std::string_view problem;
  };

  constexpr std::array kRows = {
      Row{R"({})", "exp is missing"},
      Row{R"({"exp":"1"})", "exp is not a point in time"},
      Row{R"({"exp":null})", "exp is not a point in time"},
      Row{R"({"exp":-1})", "exp is not a point in time"},
      Row{R"({"exp":-0.5})", "exp is not a point in time"},
      Row{R"({"exp":253402300800})", "exp is not a point in time"},
      Row{R"({"exp":18446744073709551616})", "exp is not a point in time"},
      Row{R"({"exp":[1]})", "exp is not a point in time"},
      Row{R"({"exp":{"exp":1}})", "exp is not a point in time"},
      Row{R"({"exp":1,"nbf":"0"})", "nbf is not a point in time"},
      Row{R"({"exp":1,"iat":true})", "iat is not a point in time"},
      Row{R"({"exp":1,"iss":1})", "iss is not a string"},
      Row{R"({"exp":1,"sub":["a"]})", "sub is not a string"},
      Row{R"({"exp":1,"aud":1})", "aud is neither a string nor a list of strings"},
      Row{R"({"exp":1,"aud":["a",1]})", "aud is neither a string nor a list of strings"},
      Row{R"({"exp":1,"aud":["a",["b"]]})", "aud is neither a string nor a list of strings"},
      Row{R"({"exp":1,"aud":[{"a":"b"},"c"]})", "aud is neither a string nor a list of strings"},
      Row{R"({"exp":1,"aud":{"a":"b"}})", "aud is neither a string nor a list of strings"},
  };
  for (const Row& row : kRows) {
    EXPECT_EQ(Problem(JwtText(row.payload)), row.problem) << row.payload;
  }
}

TEST(JwtClaimsTest, RefusesEveryTruncation) {
  const std::string token = JwtText(kFull);
  const std::size_t signature = token.rfind('.') + 1;
  for (std::size_t size = 0; size <= signature; ++size) {
    EXPECT_FALSE(Parse(token.substr(0, size)).has_value()) << size;
  }
}

TEST(JwtClaimsTest, NeverReadsOtherClaimsAfterABitFlipWithoutNoticingItsBytes) {
  const std::string token = JwtText(kFull);
  const JwtClaims original = *Parse(token);
  const std::size_t payload = token.find('.') + 1;
  std::size_t accepted = 0;
  for (std::size_t i = 0; i < payload; ++i) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string flipped = token;
      flipped[i] = static_cast<char>(static_cast<unsigned char>(flipped[i]) ^ (1U << bit));
      const Result<JwtClaims> claims = Parse(flipped);
      if (claims) {
        ++accepted;
        EXPECT_EQ(*claims, original) << "header bytes must not reach the claims";
      }
    }
  }
  EXPECT_GT(accepted, 0U) << "some flips only change the name of the algorithm";
}

// ---- The checks.

constexpr std::int64_t kNow = 10'000;

JwtClaims GoodClaims() {
  return {.issuer = "issuer",
          .subject = "subject",
          .audiences = {"x", "kms"},
          .expires = kNow + 1000,
          .not_before = kNow - 10,
          .issued_at = kNow - 10};
}

JwtRules Rules() {
  return {.min_remaining_s = 120,
          .leeway_s = 30,
          .expected_issuer = "issuer",
          .expected_audiences = {"kms", "other"},
          .expected_subject = "subject"};
}

TEST(JwtChecksTest, AcceptsWhatIsExpected) {
  EXPECT_EQ(CheckClaims(GoodClaims(), Rules(), kNow), (Finding{AuthStatus::kOk, ""}));
}

TEST(JwtChecksTest, ChecksNothingThatIsNotConfigured) {
  JwtClaims claims;
  claims.expires = kNow + 1;
  EXPECT_EQ(CheckClaims(claims, JwtRules(), kNow).status, AuthStatus::kOk);
}

std::string FromTheFuture(const std::string& claim, int seconds) {
  return claim + " is " + std::to_string(seconds) +
         " s in the future: compare the clocks of the issuer and this node";
}

TEST(JwtChecksTest, ComparesTimesAtTheirExactBorders) {
  JwtClaims claims = GoodClaims();
  claims.not_before = kNow + 30;
  EXPECT_EQ(CheckClaims(claims, Rules(), kNow).status, AuthStatus::kOk);
  claims.not_before = kNow + 30.001;
  EXPECT_EQ(CheckClaims(claims, Rules(), kNow).reason, FromTheFuture("nbf", 31));

  claims = GoodClaims();
  claims.issued_at = kNow + 30;
  EXPECT_EQ(CheckClaims(claims, Rules(), kNow).status, AuthStatus::kOk);
  claims.issued_at = kNow + 31;
  EXPECT_EQ(CheckClaims(claims, Rules(), kNow).reason, FromTheFuture("iat", 31));

  claims = GoodClaims();
  claims.expires = kNow + 120.001;
  EXPECT_EQ(CheckClaims(claims, Rules(), kNow).status, AuthStatus::kOk);
  claims.expires = kNow + 120;
  EXPECT_EQ(CheckClaims(claims, Rules(), kNow).status, AuthStatus::kJwtNearExpiry);
  claims.expires = kNow - 29.999;
  EXPECT_EQ(CheckClaims(claims, Rules(), kNow).status, AuthStatus::kJwtNearExpiry);
  claims.expires = kNow - 30;
  EXPECT_EQ(CheckClaims(claims, Rules(), kNow).status, AuthStatus::kJwtExpired);
}

TEST(JwtChecksTest, ComparesTextsExactly) {
  for (const std::string_view issuer : {"", "Issuer", "issuer/", "issue"}) {
    JwtClaims claims = GoodClaims();
    claims.issuer = issuer;
    EXPECT_EQ(CheckClaims(claims, Rules(), kNow).reason, "iss is not auth.jwt.expectedIssuer");
  }
  JwtClaims claims = GoodClaims();
  claims.subject = "subject ";
  EXPECT_EQ(CheckClaims(claims, Rules(), kNow).reason, "sub is not auth.jwt.expectedSubject");
  claims = GoodClaims();
  claims.audiences = {"KMS", "", "kms "};
  EXPECT_EQ(CheckClaims(claims, Rules(), kNow).reason,
            "aud contains none of auth.jwt.expectedAudience");
  claims.audiences.clear();
  EXPECT_EQ(CheckClaims(claims, Rules(), kNow).reason,
            "aud contains none of auth.jwt.expectedAudience");
}

TEST(JwtChecksTest, NamesTheFirstProblemInTheDocumentedOrder) {
  JwtClaims claims{.issuer = "?",
                   .subject = "?",
                   .audiences = {},
                   .expires = 1,
                   .not_before = kNow + 100,
                   .issued_at = kNow + 100};
  const JwtRules rules = Rules();
  EXPECT_EQ(CheckClaims(claims, rules, kNow).reason, FromTheFuture("nbf", 100));
  claims.not_before.reset();
  EXPECT_EQ(CheckClaims(claims, rules, kNow).reason, FromTheFuture("iat", 100));
  claims.issued_at.reset();
  EXPECT_EQ(CheckClaims(claims, rules, kNow).reason, "iss is not auth.jwt.expectedIssuer");
  claims.issuer = "issuer";
  EXPECT_EQ(CheckClaims(claims, rules, kNow).reason,
            "aud contains none of auth.jwt.expectedAudience");
  claims.audiences = {"other"};
  EXPECT_EQ(CheckClaims(claims, rules, kNow).reason, "sub is not auth.jwt.expectedSubject");
  claims.subject = "subject";
  claims.expires = kNow - 599;
  EXPECT_EQ(CheckClaims(claims, rules, kNow),
            (Finding{AuthStatus::kJwtExpired, "the JWT expired 599 s ago"}));
  claims.expires = kNow - 1;
  EXPECT_EQ(CheckClaims(claims, rules, kNow),
            (Finding{AuthStatus::kJwtNearExpiry, "the JWT expired 1 s ago"}));
  claims.expires = kNow + 1;
  EXPECT_EQ(CheckClaims(claims, rules, kNow),
            (Finding{AuthStatus::kJwtNearExpiry,
                     "the JWT expires in 1 s, within auth.jwt.minRemainingTtl"}));
}

}  // namespace
}  // namespace baokms::authagent
