#include "authagent/oauth2.h"

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "authagent/credential.h"
#include "authagent/oauth2_grant.h"
#include "common/base/clock.h"
#include "common/base/secret_buffer.h"
#include "common/openbao/form_post.h"
#include "tests/authagent/jwt_text.h"

namespace baokms::authagent {
namespace {

namespace fs = std::filesystem;
using openbao::ErrorClass;
using openbao::FormAnswer;

SecretBuffer Secret(std::string_view text) {
  std::vector<std::uint8_t> bytes(text.begin(), text.end());
  return *SecretBuffer::TakeFrom(bytes);
}

std::string Reveal(const SecretBuffer& secret) {
  return {secret.Reveal().begin(), secret.Reveal().end()};
}

FormAnswer Answer(std::string_view body,
                  long status = 200,
                  std::string content_type = "application/json") {
  FormAnswer answer;
  answer.error_class = ErrorClass::kOk;
  answer.status = status;
  answer.content_type = std::move(content_type);
  answer.body.Append(body);
  return answer;
}

TEST(OAuth2FormTest, PutsTheSecretIntoTheHeaderOrTheForm) {
  GrantRequest request{.client_id = "my client"};
  auto basic = BuildGrant(request, Secret("p:q+/%"));
  ASSERT_TRUE(basic.has_value());
  EXPECT_EQ(basic->body.text(), "grant_type=client_credentials");
  // base64 of "my+client:p%3Aq%2B%2F%25": both halves are form-encoded first.
  EXPECT_EQ(basic->authorization.text(),
            std::string_view("Authorization: Basic bXkrY2xpZW50OnAlM0FxJTJCJTJGJTI1\0", 54));

  request.auth = ClientAuth::kPost;
  auto post = BuildGrant(request, Secret("p:q+/%"));
  ASSERT_TRUE(post.has_value());
  EXPECT_EQ(post->authorization.size(), 0U);
  EXPECT_EQ(post->body.text(),
            "grant_type=client_credentials&client_id=my+client&client_secret=p%3Aq%2B%2F%25");
}

TEST(OAuth2FormTest, SendsScopesAudienceAndResourcesOnlyWhenThereAreAny) {
  const GrantRequest request{.client_id = "c",
                             .auth = ClientAuth::kBasic,
                             .scopes = {"a:b", "c"},
                             .audience = "https://x/",
                             .resources = {"urn:1", "urn:2"}};
  const auto form = BuildGrant(request, Secret("s"));
  ASSERT_TRUE(form.has_value());
  EXPECT_EQ(form->body.text(),
            "grant_type=client_credentials&scope=a%3Ab+c&audience=https%3A%2F%2Fx%2F"
            "&resource=urn%3A1&resource=urn%3A2");
}

TEST(OAuth2FormTest, NeedsAClientAndASecret) {
  EXPECT_FALSE(BuildGrant({.client_id = ""}, Secret("s")).has_value());
  EXPECT_FALSE(BuildGrant({.client_id = "c"}, SecretBuffer()).has_value());
}

TEST(OAuth2AnswerTest, TakesABearerToken) {
  for (const std::string_view type : {"Bearer", "bearer", "BEARER"}) {
    const GrantOutcome outcome = ClassifyGrant(
        Answer(R"({"access_token":"a.b.c","token_type":")" + std::string(type) +
               R"(","expires_in":300,"not-before-policy":0,"scope":"x","more":{"a":[1]}})"));
    EXPECT_EQ(outcome.finding, (Finding{AuthStatus::kOk, ""}));
    EXPECT_EQ(Reveal(outcome.access_token), "a.b.c");
    EXPECT_EQ(outcome.expires_in, 300);
  }
  const std::string body = R"({"access_token":"t","token_type":"bearer"})";
  EXPECT_EQ(ClassifyGrant(Answer(body)).expires_in, std::nullopt);
  for (const char* type : {"application/json;charset=utf-8", "Application/JSON ; a=b"}) {
    EXPECT_EQ(ClassifyGrant(Answer(body, 200, type)).finding.status, AuthStatus::kOk) << type;
  }
}

// docs/decisions/0007-answers-of-token-endpoints.md
TEST(OAuth2AnswerTest, TakesTheDeviationsOfCommonServers) {
  struct Row {
    const char* more;
    std::optional<std::int64_t> expires_in;
  };

  const std::vector<Row> rows = {
      {R"(,"token_type":"Bearer","expires_in":"3599","ext_expires_in":"3599")", 3599},
      {R"(,"token_type":"bEARER","expires_in":"0300")", 300},
      {R"(,"token_type":"Bearer","expires_in":null)", std::nullopt},
      {R"(,"token_type":null,"expires_in":3599.0)", 3599},
      {R"(,"expires_in":60)", 60},
      {"", std::nullopt},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.more);
    const GrantOutcome outcome =
        ClassifyGrant(Answer(R"({"access_token":"a.b.c")" + std::string(row.more) + "}"));
    EXPECT_EQ(outcome.finding, (Finding{AuthStatus::kOk, ""}));
    EXPECT_EQ(Reveal(outcome.access_token), "a.b.c");
    EXPECT_EQ(outcome.expires_in, row.expires_in);
  }
}

TEST(OAuth2AnswerTest, RefusesWhatIsNoGrant) {
  const std::vector<std::string> bodies = {
      "",
      "null",
      "[]",
      "{}",
      R"({"token_type":"bearer"})",
      R"({"access_token":"","token_type":"bearer"})",
      R"({"access_token":1,"token_type":"bearer"})",
      R"({"access_token":"t","token_type":"mac"})",
      R"({"access_token":"t","token_type":1})",
      R"({"access_token":"t","access_token":"t","token_type":"bearer"})",
      R"({"access_token":"t","token_type":"bearer"}{})",
      R"({"access_token":"t","token_type":"bearer","expires_in":0})",
      R"({"access_token":"t","token_type":"bearer","expires_in":-1})",
      R"({"access_token":"t","token_type":"bearer","expires_in":1.5})",
      R"({"access_token":"t","token_type":"bearer","expires_in":1e300})",
      R"({"access_token":"t","token_type":""})",
      R"({"access_token":"t","token_type":true})",
      R"({"access_token":null,"token_type":"bearer"})",
      R"({"access_token":"t","token_type":"bearer","expires_in":""})",
      R"({"access_token":"t","token_type":"bearer","expires_in":"0"})",
      R"({"access_token":"t","token_type":"bearer","expires_in":"-1"})",
      R"({"access_token":"t","token_type":"bearer","expires_in":"+1"})",
      R"({"access_token":"t","token_type":"bearer","expires_in":" 300"})",
      R"({"access_token":"t","token_type":"bearer","expires_in":"300s"})",
      R"({"access_token":"t","token_type":"bearer","expires_in":"3e2"})",
      R"({"access_token":"t","token_type":"bearer","expires_in":"99999999999999999999"})",
      R"({"access_token":"t","token_type":"bearer","expires_in":"9999999999"})",
      R"({"access_token":"t","token_type":"bearer","expires_in":true})",
      R"({"access_token":"t","token_type":"bearer","expires_in":[300]})",
  };
  for (const std::string& body : bodies) {
    const GrantOutcome outcome = ClassifyGrant(Answer(body));
    EXPECT_EQ(outcome.finding.status, AuthStatus::kOAuth2Response) << body;
    EXPECT_EQ(outcome.access_token.size(), 0U) << body;
  }
  const std::string good = R"({"access_token":"t","token_type":"bearer"})";
  for (const char* type : {"", "text/html", "application/jsonp", "application/jwt"}) {
    EXPECT_EQ(ClassifyGrant(Answer(good, 200, type)).finding.status, AuthStatus::kOAuth2Response);
  }
}

TEST(OAuth2AnswerTest, TellsOutagesFromRefusals) {
  for (const long status : {429L, 500L, 502L, 503L, 599L}) {
    EXPECT_EQ(ClassifyGrant(Answer("", status)).finding.status, AuthStatus::kOAuth2Unavailable);
  }
  for (const long status : {201L, 204L, 302L, 400L, 401L, 403L, 404L, 428L}) {
    EXPECT_EQ(ClassifyGrant(Answer("", status)).finding.status, AuthStatus::kOAuth2Rejected);
  }
  FormAnswer none;
  for (const ErrorClass failure :
       {ErrorClass::kTlsFailed, ErrorClass::kDnsFailed, ErrorClass::kConnectionFailed,
        ErrorClass::kTimeout, ErrorClass::kUnavailable}) {
    none.error_class = failure;
    EXPECT_EQ(ClassifyGrant(none).finding,
              (Finding{AuthStatus::kOAuth2Unavailable, std::string(openbao::ToString(failure))}));
  }
  none.error_class = ErrorClass::kUndecodable;
  EXPECT_EQ(ClassifyGrant(none).finding.status, AuthStatus::kOAuth2Response);
}

class OAuth2CredentialTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/oauth2_XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    Put("the secret");
    credential_ = std::make_unique<OAuth2Credential>(
        OAuth2Credential::Options{
            .client_secret = {root_ / "secret", ::geteuid()},
            .grant = {.client_id = "c", .auth = ClientAuth::kPost},
            .login = {.role = "kms",
                      .rules = {.min_remaining_s = 60, .leeway_s = 30, .expected_issuer = "us"}}},
        [this](openbao::FormRequest form, BootTime /*deadline*/,
               std::function<void(FormAnswer)> done) {
          bodies_.emplace_back(form.body.text());
          pending_ = std::move(done);
        });
  }

  void TearDown() override { fs::remove_all(root_); }

  void Put(std::string_view secret) const {
    std::ofstream(root_ / "next") << secret;
    fs::permissions(root_ / "next", fs::perms::owner_read);
    fs::rename(root_ / "next", root_ / "secret");
  }

  // A grant of a JWT that ends in `exp` seconds.
  static FormAnswer Grant(std::int64_t exp, std::string_view more = "") {
    return Answer(R"({"access_token":")" +
                  JwtText("{\"iss\":\"us\",\"exp\":" + std::to_string(UnixNow() + exp) + "}") +
                  R"(","token_type":"bearer")" + std::string(more) + "}");
  }

  Acquired Acquire(FormAnswer answer = {}) {
    std::optional<Acquired> got;
    credential_->Acquire(BootNow() + std::chrono::seconds(1),
                         [&got](Acquired acquired) { got = std::move(acquired); });
    if (pending_) {
      EXPECT_FALSE(got.has_value());
      std::exchange(pending_, nullptr)(std::move(answer));
    }
    EXPECT_TRUE(got.has_value());
    return got ? std::move(*got) : Acquired();
  }

  fs::path root_;
  std::vector<std::string> bodies_;
  std::function<void(FormAnswer)> pending_;
  std::unique_ptr<OAuth2Credential> credential_;
};

TEST_F(OAuth2CredentialTest, AsksForANewTokenEachTime) {
  for (int i = 1; i <= 3; ++i) {
    const Acquired acquired = Acquire(Grant(3600));
    EXPECT_EQ(acquired.finding.status, AuthStatus::kOk);
    EXPECT_NE(acquired.request.body.size(), 0U);
    EXPECT_EQ(acquired.ends_unix, 0) << "the next login has another one";
    EXPECT_EQ(acquired.due_unix, 0);
  }
  ASSERT_EQ(bodies_.size(), 3U);
  EXPECT_EQ(bodies_[2], "grant_type=client_credentials&client_id=c&client_secret=the+secret");
}

TEST_F(OAuth2CredentialTest, ChecksTheTokenLikeAJwtFromAFile) {
  EXPECT_EQ(Acquire(Grant(59)).finding.status, AuthStatus::kJwtNearExpiry);
  EXPECT_EQ(Acquire(Grant(-31)).finding.status, AuthStatus::kJwtExpired);
  const std::string other = JwtText(R"({"iss":"them","exp":9999999999})");
  const Acquired acquired =
      Acquire(Answer(R"({"access_token":")" + other + R"(","token_type":"bearer"})"));
  EXPECT_EQ(acquired.finding.status, AuthStatus::kJwtInvalid);
  EXPECT_EQ(acquired.request.body.size(), 0U);
  const std::string unsigned_token = JwtText(R"({"exp":9999999999})", R"({"alg":"RS256"})", "");
  for (const std::string& token : {std::string("opaque"), unsigned_token}) {
    EXPECT_EQ(Acquire(Answer(R"({"access_token":")" + token + R"(","token_type":"bearer"})"))
                  .finding.status,
              AuthStatus::kJwtInvalid);
  }
}

TEST_F(OAuth2CredentialTest, LetsExpiresInShortenTheLifeAndNeverLengthenIt) {
  EXPECT_EQ(Acquire(Grant(3600, R"(,"expires_in":50)")).finding.status, AuthStatus::kJwtNearExpiry);
  EXPECT_EQ(Acquire(Grant(50, R"(,"expires_in":3600)")).finding.status, AuthStatus::kJwtNearExpiry);
  EXPECT_EQ(Acquire(Grant(3600, R"(,"expires_in":3600)")).finding.status, AuthStatus::kOk);
}

TEST_F(OAuth2CredentialTest, ReadsTheSecretEachTimeAndSaysWhenItCannot) {
  (void)Acquire(Grant(3600));
  EXPECT_FALSE(credential_->Replaced());
  Put("another");
  EXPECT_TRUE(credential_->Replaced());
  (void)Acquire(Grant(3600));
  EXPECT_FALSE(credential_->Replaced());
  EXPECT_EQ(bodies_.back(), "grant_type=client_credentials&client_id=c&client_secret=another");
  fs::remove(root_ / "secret");
  EXPECT_EQ(Acquire().finding,
            (Finding{AuthStatus::kOAuth2Credential,
                     "file_missing: auth.jwt.oauth2.clientSecretFile: cannot be opened: No such "
                     "file or directory; create it, or correct the path"}));
  EXPECT_EQ(bodies_.size(), 2U);
}

TEST_F(OAuth2CredentialTest, PassesRefusalsOn) {
  EXPECT_EQ(Acquire(Answer("", 401)).finding.status, AuthStatus::kOAuth2Rejected);
  EXPECT_EQ(Acquire(Answer("", 503)).finding.status, AuthStatus::kOAuth2Unavailable);
}

}  // namespace
}  // namespace baokms::authagent
