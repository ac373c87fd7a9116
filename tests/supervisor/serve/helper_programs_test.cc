#include "supervisor/serve/helper_programs.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/supervisor/registry/test_directory.h"

namespace baokms::supervisor {
namespace {

using testing::HasSubstr;

constexpr uid_t kUser = 4321;
constexpr const char* kWorker = "bao-kms-worker";

// Owners can be given away by root only.
class HelperProgramsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) {
      GTEST_SKIP() << "needs root";
    }
    EXPECT_EQ(::chmod(directory_.path().c_str(), 0755), 0);
    for (const char* name : {"bao-kms-spawner", kWorker, "bao-kms-authagent"}) {
      directory_.Write(name, "", 0111);
    }
  }

  void Give(const std::string& name, uid_t user, mode_t mode) {
    EXPECT_EQ(::chown(directory_.File(name).c_str(), user, user), 0);
    EXPECT_EQ(::chmod(directory_.File(name).c_str(), mode), 0);
  }

  Started<HelperPrograms> Open(uid_t own_user) {
    return OpenHelperPrograms(directory_.path() + "/", own_user);
  }

  void ExpectRefused(uid_t own_user, int exit_code, const std::string& text) {
    const Started<HelperPrograms> opened = Open(own_user);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().exit_code, exit_code);
    EXPECT_THAT(opened.error().line, testing::StartsWith("cannot start the spawner: "));
    EXPECT_THAT(opened.error().line, HasSubstr(text));
  }

  TestDirectory directory_;
};

TEST_F(HelperProgramsTest, AnInstallationIsUnreadableForEveryUser) {
  for (const uid_t own_user : {uid_t{0}, kUser}) {
    auto opened = Open(own_user);
    ASSERT_TRUE(opened);
    const HelperPrograms programs = std::move(opened).value();
    EXPECT_FALSE(programs.readable);
    EXPECT_TRUE(programs.spawner.valid() && programs.worker.valid() && programs.agent.valid());
  }
}

TEST_F(HelperProgramsTest, WhatItsOwnUserOwnsIsReadable) {
  Give(kWorker, kUser, 0111);
  auto opened = Open(kUser);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(std::move(opened).value().readable);
}

TEST_F(HelperProgramsTest, RefusesEveryPermissionToReadAProgramOfRoots) {
  for (const mode_t mode : {0511U, 0151U, 0115U, 0755U}) {
    Give(kWorker, 0, mode);
    ExpectRefused(kUser, 3, directory_.File(kWorker) + " can be read");
  }
}

TEST_F(HelperProgramsTest, NamesTheCommandThatCorrectsIt) {
  Give(kWorker, 0, 0755);
  const std::string paths = " " + directory_.File("bao-kms-spawner") + " " +
                            directory_.File(kWorker) + " " + directory_.File("bao-kms-authagent");
  ExpectRefused(0, 3, "; run chown root:root" + paths + " && chmod 0111" + paths);
}

TEST_F(HelperProgramsTest, RefusesWhatOthersCanReplace) {
  Give(kWorker, kUser, 0111);
  ExpectRefused(0, 3, " belongs to 4321");
  ExpectRefused(kUser + 1, 3, " belongs to 4321");
  for (const mode_t mode : {0131U, 0113U}) {
    Give(kWorker, 0, mode);
    ExpectRefused(0, 3, " can be written to by its group or by others");
  }
  Give(kWorker, 0, 0111);
  for (const mode_t mode : {0775U, 01757U}) {
    EXPECT_EQ(::chmod(directory_.path().c_str(), mode), 0);
    ExpectRefused(0, 3, "; run chmod 0" + std::string(mode == 0775U ? "755 " : "1755 "));
  }
}

TEST_F(HelperProgramsTest, RefusesADirectoryOfAnotherUser) {
  EXPECT_EQ(::chown(directory_.path().c_str(), kUser, kUser), 0);
  ExpectRefused(0, 3, "belongs to 4321");
}

TEST_F(HelperProgramsTest, RefusesWhatIsNoFile) {
  directory_.Remove(kWorker);
  EXPECT_EQ(::symlink("/bin/true", directory_.File(kWorker).c_str()), 0);
  ExpectRefused(0, 3, " is not a regular file");
}

TEST_F(HelperProgramsTest, NamesTheProgramThatIsMissing) {
  directory_.Remove(kWorker);
  ExpectRefused(0, 5,
                "bao-kms-worker is not installed beside bao-kms-provider; install all programs "
                "from one package into " +
                    directory_.path());
}

TEST_F(HelperProgramsTest, NamesTheUserWhoMayNotSearchTheDirectory) {
  EXPECT_EQ(::chmod(directory_.path().c_str(), 0700), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setresuid(kUser, kUser, kUser) != 0) {
      ::_exit(1);
    }
    ExpectRefused(kUser, 5,
                  directory_.File("bao-kms-spawner") +
                      " cannot be opened: Permission denied; check owner and mode of the "
                      "directory; the provider runs as 4321");
    ::_exit(HasFailure() ? 1 : 0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "see above";
}

TEST_F(HelperProgramsTest, NamesADirectoryOnce) {
  const std::string missing = directory_.path() + "/missing";
  const auto opened = OpenHelperPrograms(missing + "/", 0);
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().line,
              testing::StartsWith("cannot start the spawner: " + missing + " cannot be opened: "));
}

}  // namespace
}  // namespace baokms::supervisor
