#include "authagent/jwt_file.h"

#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "authagent/credential.h"
#include "authagent/jwt_claims.h"
#include "common/base/clock.h"
#include "common/base/secret_buffer.h"
#include "common/base/unique_fd.h"
#include "proto/setup.pb.h"
#include "tests/authagent/jwt_text.h"

namespace baokms::authagent {
namespace {

namespace fs = std::filesystem;

using ::testing::EndsWith;
using ::testing::StartsWith;

std::string Reveal(const SecretBuffer& secret) {
  return {secret.Reveal().begin(), secret.Reveal().end()};
}

class JwtFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/jwt_file_XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }

  void TearDown() override { fs::remove_all(root_); }

  // Replaces the file as a credential tool does: a new file, renamed over the old one.
  std::string Put(std::string_view content, mode_t mode = 0640) const {
    const std::string next = root_ / "next";
    std::ofstream(next, std::ios::binary) << content;
    EXPECT_EQ(::chmod(next.c_str(), mode), 0);
    fs::rename(next, root_ / "jwt");
    return root_ / "jwt";
  }

  // The reason; empty if the file is accepted.
  [[nodiscard]] std::string Problem() const {
    return ReadJwtFile({root_ / "jwt", ::geteuid()}).reason;
  }

  fs::path root_;
};

std::string ValidFor(std::int64_t seconds) {
  return JwtText("{\"exp\":" + std::to_string(UnixNow() + seconds) + "}");
}

Acquired AcquireFrom(JwtFile& file) {
  std::optional<Acquired> got;
  file.Acquire(BootNow(), [&got](Acquired acquired) { got = std::move(acquired); });
  EXPECT_TRUE(got.has_value());
  return got ? std::move(*got) : Acquired();
}

TEST_F(JwtFileTest, DropsWhitespaceAroundTheToken) {
  for (const std::string_view content : {"a.b.c", "a.b.c\n", " \t\r\na.b.c\r\n\v\f "}) {
    const SecretRead jwt = ReadJwtFile({Put(content), ::geteuid()});
    EXPECT_EQ(jwt.reason, "");
    EXPECT_EQ(Reveal(jwt.secret), "a.b.c");
  }
}

TEST_F(JwtFileTest, RefusesEmptyFilesAndInnerWhitespace) {
  for (const std::string_view content : {"", " \n\t"}) {
    Put(content);
    EXPECT_EQ(Problem(), "invalid_content: auth.jwt.jwtFile: is empty; write one JWT into it");
  }
  for (const std::string_view content : {"a.b c.d", "a.b\n.c", "a\t.b.c", "a.b.\vc"}) {
    Put(content);
    EXPECT_EQ(Problem(),
              "invalid_content: auth.jwt.jwtFile: has white space inside the JWT; write one JWT "
              "into it");
  }
}

TEST_F(JwtFileTest, AcceptsExactlyTheMaximumSize) {
  Put(std::string(kMaxJwt, 'a'));
  EXPECT_EQ(Problem(), "");
  Put(std::string(kMaxJwt + 1, 'a'));
  EXPECT_EQ(Problem(),
            "file_too_large: auth.jwt.jwtFile: is larger than 1048576 bytes; check what writes it");
}

TEST_F(JwtFileTest, RefusesModesThatLetOthersIn) {
  for (const mode_t mode : {0644U, 0660U, 0650U, 0641U, 0642U}) {
    Put("a.b.c", mode);
    EXPECT_THAT(Problem(), StartsWith("unsafe_permissions: auth.jwt.jwtFile: mode 06")) << mode;
    EXPECT_THAT(Problem(), EndsWith(", at most 0640 is allowed; run chmod 0640 FILE")) << mode;
  }
}

// As the spawner hands it over, for a user who may not open it.
TEST_F(JwtFileTest, ReadsAnOpenFileAgainAndAgain) {
  const UniqueFd opened(::open(Put("a.b.c").c_str(), O_RDONLY | O_CLOEXEC));
  fs::remove(root_ / "jwt");
  for (int i = 0; i < 2; ++i) {
    const SecretRead jwt = ReadJwtFile({root_ / "jwt", ::geteuid(), opened.get()});
    EXPECT_EQ(jwt.reason, "");
    EXPECT_EQ(Reveal(jwt.secret), "a.b.c");
  }
}

TEST_F(JwtFileTest, ReadsNoOpenFileThatIsTooLarge) {
  const UniqueFd opened(::open(Put(std::string(kMaxJwt + 1, 'x')).c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_THAT(ReadJwtFile({root_ / "jwt", ::geteuid(), opened.get()}).reason,
              StartsWith("file_too_large: auth.jwt.jwtFile: "));
}

// It could not be opened for this process: the path says why.
TEST_F(JwtFileTest, OpensThePathIfItWasGivenNothing) {
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_THAT(ReadJwtFile({root_ / "jwt", ::geteuid(), null.get()}).reason,
              StartsWith("file_missing: auth.jwt.jwtFile: "));
  EXPECT_EQ(Reveal(ReadJwtFile({Put("a.b.c"), ::geteuid(), null.get()}).secret), "a.b.c");
}

TEST_F(JwtFileTest, GivesAGoodTokenAndItsEnd) {
  const std::string token = ValidFor(3600);
  JwtFile file({.place = {Put(token + "\n"), ::geteuid()}, .login = {.role = "kms", .rules = {}}});
  const std::int64_t before = UnixNow();
  const Acquired acquired = AcquireFrom(file);
  EXPECT_EQ(acquired.finding.status, AuthStatus::kOk);
  EXPECT_EQ(acquired.request.operation, ipc::OPERATION_JWT_LOGIN);
  EXPECT_EQ(acquired.request.body.text(), R"({"role":"kms","jwt":")" + token + R"("})");
  EXPECT_EQ(acquired.request.identity, nullptr);
  EXPECT_GE(acquired.ends_unix, before + 3590);
}

TEST_F(JwtFileTest, GivesNoTokenWithABadFinding) {
  JwtRules rules;
  rules.min_remaining_s = 120;
  rules.leeway_s = 30;
  JwtFile file({.place = {root_ / "jwt", ::geteuid()}, .login = {.role = "kms", .rules = rules}});
  EXPECT_EQ(AcquireFrom(file).finding,
            (Finding{AuthStatus::kError,
                     "file_missing: auth.jwt.jwtFile: cannot be opened: No such file or "
                     "directory; create it, or correct the path"}));
  Put(ValidFor(60));
  EXPECT_EQ(AcquireFrom(file).finding.status, AuthStatus::kJwtNearExpiry);
  Put(ValidFor(-60));
  EXPECT_EQ(AcquireFrom(file).finding.status, AuthStatus::kJwtExpired);
  EXPECT_NE(AcquireFrom(file).ends_unix, 0) << "known even when it is over";
  EXPECT_EQ(AcquireFrom(file).request.body.size(), 0U);
  Put("not a jwt");
  EXPECT_EQ(AcquireFrom(file).finding.status, AuthStatus::kJwtInvalid);
  Put("notajwt");
  EXPECT_EQ(AcquireFrom(file).finding,
            (Finding{AuthStatus::kJwtInvalid, "the token does not have the three parts of a JWT"}));
  Put(ValidFor(3600), 0644);
  EXPECT_EQ(AcquireFrom(file).finding.status, AuthStatus::kError);
}

// Each claim that the set-up expects is compared with the token's, and none with another one.
TEST_F(JwtFileTest, ExpectsWhatItsSetUpSays) {
  ipc::AgentSetup setup;
  setup.mutable_jwt_file()->set_path(
      Put(JwtText(R"({"iss":"issuer","sub":"subject","aud":"audience","exp":)" +
                  std::to_string(UnixNow() + 3600) + "}")));
  ipc::JwtSetup& jwt = *setup.mutable_jwt();
  jwt.set_role("kms");
  jwt.set_min_remaining_s(60);
  const auto finding = [&setup] {
    std::optional<Acquired> got;
    OpenJwtFile(setup)->Acquire(BootNow(),
                                [&got](Acquired acquired) { got = std::move(acquired); });
    return got->finding;
  };
  EXPECT_EQ(finding().status, AuthStatus::kOk);
  jwt.set_expected_issuer("issuer");
  jwt.set_expected_subject("subject");
  jwt.add_expected_audiences("audience");
  EXPECT_EQ(finding().status, AuthStatus::kOk);
  jwt.set_expected_subject("issuer");
  EXPECT_EQ(finding().reason, "sub is not auth.jwt.expectedSubject");
  jwt.set_expected_issuer("subject");
  EXPECT_EQ(finding().reason, "iss is not auth.jwt.expectedIssuer");
  jwt.clear_expected_issuer();
  jwt.set_expected_audiences(0, "issuer");
  EXPECT_EQ(finding().reason, "aud contains none of auth.jwt.expectedAudience");
  jwt.clear_expected_audiences();
  jwt.clear_expected_subject();
  jwt.set_min_remaining_s(3700);
  EXPECT_EQ(finding().status, AuthStatus::kJwtNearExpiry);
}

TEST_F(JwtFileTest, NoticesAReplacedRemovedAndNewFile) {
  JwtFile file({.place = {root_ / "jwt", ::geteuid()}, .login = {.role = "kms", .rules = {}}});
  AcquireFrom(file);
  EXPECT_FALSE(file.Replaced()) << "missing then and now";
  Put(ValidFor(3600));
  EXPECT_TRUE(file.Replaced());
  AcquireFrom(file);
  EXPECT_FALSE(file.Replaced());
  Put(ValidFor(7200));
  EXPECT_TRUE(file.Replaced());
  AcquireFrom(file);
  fs::remove(root_ / "jwt");
  EXPECT_TRUE(file.Replaced());
}

TEST_F(JwtFileTest, SurvivesReplacementDuringEveryRead) {
  const std::string one = ValidFor(3600);
  const std::string two = ValidFor(7200);
  Put(one);
  for (int i = 0; i < 200; ++i) {
    Put(i % 2 == 0 ? two : one);
    const SecretRead jwt = ReadJwtFile({root_ / "jwt", ::geteuid()});
    ASSERT_EQ(jwt.reason, "");
    EXPECT_EQ(Reveal(jwt.secret), i % 2 == 0 ? two : one);
  }
}

}  // namespace
}  // namespace baokms::authagent
