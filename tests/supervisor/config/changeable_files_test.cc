#include "supervisor/config/changeable_files.h"

#include <sys/mount.h>
#include <sys/wait.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace baokms::supervisor {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr uid_t kService = 4321;

// A configuration whose files belong to whoever runs the test, in a directory of root's.
class ChangeableFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) {
      GTEST_SKIP() << "files of other users take root";
    }
    std::array<char, 40> name{"/tmp/baokms-changeable-XXXXXX"};
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name.data();
    fs::create_directory(root_ + "/tls");
    config_path_ = Write("config.yaml");
    config_.openbao.ca_cert_file = Write("tls/ca.crt");
    config_.auth.jwt.oauth2.ca_cert_file = Write("oauth2.crt");
    config_.auth.cert.pkcs11.module_path = Write("module.so");
  }

  void TearDown() override { fs::remove_all(root_); }

  std::string Write(const std::string& name) const {
    std::ofstream(root_ + "/" + name) << "x";
    return root_ + "/" + name;
  }

  static void Give(const std::string& path) { ASSERT_EQ(::chown(path.c_str(), kService, 0), 0); }

  [[nodiscard]] std::vector<std::string_view> Found(uid_t user = kService) const {
    return ChangeableFiles(config_, config_path_, {user, kService + 1});
  }

  std::string root_;
  std::string config_path_;
  Config config_;
};

TEST_F(ChangeableFilesTest, FilesOfRootAreProtected) {
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_F(ChangeableFilesTest, EachFileOfTheUserIsFound) {
  Give(config_path_);
  EXPECT_THAT(Found(), ElementsAre("--config"));
  Give(config_.openbao.ca_cert_file);
  Give(config_.auth.jwt.oauth2.ca_cert_file);
  Give(config_.auth.cert.pkcs11.module_path);
  EXPECT_THAT(Found(), ElementsAre("--config", "openbao.caCertFile", "auth.jwt.oauth2.caCertFile",
                                   "auth.cert.pkcs11.modulePath"));
}

// Its owner can put another file in the place of root's.
TEST_F(ChangeableFilesTest, SoIsAFileInADirectoryOfTheUser) {
  Give(root_ + "/tls");
  EXPECT_THAT(Found(), ElementsAre("openbao.caCertFile"));
  Give(root_);
  EXPECT_EQ(Found().size(), 4U);
}

TEST_F(ChangeableFilesTest, ALinkIsFollowed) {
  Give(root_ + "/tls");
  fs::create_symlink("tls/ca.crt", root_ + "/link");
  config_.openbao.ca_cert_file = root_ + "/link";
  EXPECT_THAT(Found(), ElementsAre("openbao.caCertFile"));
}

TEST_F(ChangeableFilesTest, TheModuleOfAUriIsOneOfThem) {
  Give(root_ + "/module.so");
  config_.auth.cert.pkcs11.module_path.clear();
  config_.auth.cert.pkcs11.uri = "pkcs11:token=t;object=k?module-path=" + root_ + "/%6dodule.so";
  EXPECT_THAT(Found(), ElementsAre("auth.cert.pkcs11.uri"));
}

TEST_F(ChangeableFilesTest, WhatIsNotThereOrNotConfiguredIsNot) {
  Give(root_);
  config_path_ += ".missing";
  config_.openbao.ca_cert_file.clear();
  config_.auth.cert.pkcs11.module_path.clear();
  EXPECT_THAT(Found(), ElementsAre("auth.jwt.oauth2.caCertFile"));
}

TEST_F(ChangeableFilesTest, RootOwnsWhatIsRoots) {
  EXPECT_EQ(Found(0).size(), 4U);
}

// In a mount namespace of its own, as in a unit with ProtectSystem= or in a container.
TEST_F(ChangeableFilesTest, NobodyChangesWhatIsMountedReadOnly) {
  Give(root_ + "/tls");
  const std::string tls = root_ + "/tls";
  const pid_t child = ::fork();
  ASSERT_NE(child, -1);
  if (child == 0) {
    const bool mounted =
        ::unshare(CLONE_NEWNS) == 0 &&
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
        ::mount(tls.c_str(), tls.c_str(), nullptr, MS_BIND, nullptr) == 0 &&
        ::mount(nullptr, tls.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0;
    ::_exit(!mounted ? 2 : Found().empty() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace baokms::supervisor
