#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "authagent/oauth2.h"
#include "common/base/secret_buffer.h"

namespace baokms::authagent {
namespace {

namespace fs = std::filesystem;

class OAuth2ClientSecretTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/client_secret_XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }

  void TearDown() override { fs::remove_all(root_); }

  void Put(std::string_view content, mode_t mode = 0600) const {
    std::ofstream(root_ / "secret", std::ios::binary | std::ios::trunc) << content;
    EXPECT_EQ(::chmod((root_ / "secret").c_str(), mode), 0);
  }

  // The secret, or "!" and the word of the reason.
  [[nodiscard]] static std::string Read(const std::string& path) {
    const SecretRead read = ReadClientSecret({path, ::geteuid()});
    return read.reason.empty() ? std::string(read.secret.RevealText())
                               : "!" + read.reason.substr(0, read.reason.find(':'));
  }

  [[nodiscard]] std::string Read() const { return Read(root_ / "secret"); }

  fs::path root_;
};

TEST_F(OAuth2ClientSecretTest, DropsOneLineEndAndKeepsAllOtherWhiteSpace) {
  for (const std::string_view content : {"s3cret", "s3cret\n", "s3cret\r\n"}) {
    Put(content);
    EXPECT_EQ(Read(), "s3cret");
  }
  Put(" a\tb \n");
  EXPECT_EQ(Read(), " a\tb ");
}

TEST_F(OAuth2ClientSecretTest, RefusesNothingAndControlCharactersInside) {
  for (const std::string_view content :
       {std::string_view(""), std::string_view("\n"), std::string_view("\r\n"),
        std::string_view("a\nb"), std::string_view("a\n\n"), std::string_view("a\rb"),
        std::string_view("a\r"), std::string_view("a\0b", 3)}) {
    Put(content);
    EXPECT_EQ(Read(), "!invalid_content");
  }
}

TEST_F(OAuth2ClientSecretTest, AcceptsExactlyTheMaximumSize) {
  Put(std::string(kMaxClientSecretFile, 'a'));
  EXPECT_EQ(Read().size(), kMaxClientSecretFile);
  Put(std::string(kMaxClientSecretFile + 1, 'a'));
  EXPECT_EQ(Read(), "!file_too_large");
}

TEST_F(OAuth2ClientSecretTest, LetsTheOwnerWriteAndTheGroupReadAndNobodyElse) {
  for (const mode_t mode : {0400U, 0600U, 0440U, 0640U}) {
    Put("a", mode);
    EXPECT_EQ(Read(), "a") << mode;
  }
  for (const mode_t mode : {0644U, 0660U, 0650U, 0641U, 0700U}) {
    Put("a", mode);
    EXPECT_EQ(Read(), "!unsafe_permissions") << mode;
  }
}

TEST_F(OAuth2ClientSecretTest, NamesWhatIsWrongWithThePath) {
  EXPECT_EQ(Read("relative"), "!absolute_path_required");
  EXPECT_EQ(Read(root_ / "absent"), "!file_missing");
  EXPECT_EQ(Read(root_), "!regular_file_required");
  ASSERT_EQ(::mkfifo((root_ / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(Read(root_ / "pipe"), "!regular_file_required");
}

TEST_F(OAuth2ClientSecretTest, NamesTheKeyTheProblemAndOneRemedy) {
  Put("a", 0644);
  EXPECT_EQ(ReadClientSecret({root_ / "secret", ::geteuid()}).reason,
            "unsafe_permissions: auth.jwt.oauth2.clientSecretFile: mode 0644, at most 0640 is "
            "allowed; run chmod 0640 FILE");
  Put("a\nb");
  EXPECT_EQ(ReadClientSecret({root_ / "secret", ::geteuid()}).reason,
            "invalid_content: auth.jwt.oauth2.clientSecretFile: has a NUL, CR or LF inside the "
            "client secret; write the client secret alone into it");
  fs::create_directory(root_ / "open");
  ASSERT_EQ(::chmod((root_ / "open").c_str(), 0777), 0);
  EXPECT_EQ(ReadClientSecret({root_ / "open" / "secret", ::geteuid()}).reason,
            "unsafe_permissions: auth.jwt.oauth2.clientSecretFile: a part of its path is writable "
            "by others: mode 0777, at most 0755 is allowed; run chmod 0755 DIRECTORY");
}

TEST_F(OAuth2ClientSecretTest, RefusesALinkThatSomebodyElseCouldHavePut) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs root to make a directory of another user";
  }
  Put("a");
  fs::create_directory(root_ / "theirs");
  fs::create_symlink(root_ / "secret", root_ / "theirs" / "link");
  ASSERT_EQ(::lchown((root_ / "theirs").c_str(), 65534, 65534), 0);
  EXPECT_EQ(Read(root_ / "theirs" / "link"), "!symlink_unsupported");
}

}  // namespace
}  // namespace baokms::authagent
