#include "supervisor/registry/state_lock.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "gtest/gtest.h"
#include "test_directory.h"

namespace baokms::supervisor {
namespace {

class StateLockTest : public ::testing::Test {
 protected:
  Result<StateLock> Acquire() { return StateLock::Acquire(ops_, directory_); }

  TestDirectory dir_;
  SystemFileOps ops_;
  StateDirectory directory_ = StateDirectory::Open(ops_, dir_.File("reg.json")).value();
};

TEST_F(StateLockTest, IsHeldByOneAtATime) {
  {
    const StateLock held = Acquire().value();
    const auto second = Acquire();
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code(), ErrorCode::kUnavailable);
    EXPECT_EQ(second.error().what(), "locked by another process");
  }
  EXPECT_TRUE(Acquire().has_value());
}

TEST_F(StateLockTest, IsReleasedWhenItsHolderIsKilled) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const ::pid_t child = ::fork();
  if (child == 0) {
    const auto lock = Acquire();
    const char answer = lock.has_value() ? 'y' : 'n';
    (void)!::write(ready[1], &answer, 1);
    ::pause();
    ::_exit(0);
  }
  char answer = 0;
  ASSERT_EQ(::read(ready[0], &answer, 1), 1);
  ASSERT_EQ(answer, 'y');
  EXPECT_FALSE(Acquire().has_value());
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(Acquire().has_value());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_F(StateLockTest, NamesItsHolder) {
  dir_.Write("reg.json.lock", "99999999999\nold and longer", 0600);
  const StateLock held = Acquire().value();
  ASSERT_TRUE(held.WritePid(ops_).has_value());
  EXPECT_EQ(dir_.Read("reg.json.lock"), std::to_string(::getpid()) + "\n");
}

TEST_F(StateLockTest, RefusesModesThatLetOthersIn) {
  for (const ::mode_t mode : {0640U, 0604U, 0660U, 0610U}) {
    SCOPED_TRACE(mode);
    dir_.Write("reg.json.lock", "", mode);
    EXPECT_FALSE(Acquire().has_value());
  }
}

TEST_F(StateLockTest, RefusesLinksAndOtherKinds) {
  dir_.Write("other", "", 0600);
  std::filesystem::create_symlink(dir_.File("other"), dir_.File("reg.json.lock"));
  EXPECT_FALSE(Acquire().has_value());
  std::filesystem::remove(dir_.File("reg.json.lock"));

  std::filesystem::create_hard_link(dir_.File("other"), dir_.File("reg.json.lock"));
  EXPECT_FALSE(Acquire().has_value());
  std::filesystem::remove(dir_.File("reg.json.lock"));

  ASSERT_EQ(::mkfifo(dir_.File("reg.json.lock").c_str(), 0600), 0);
  EXPECT_FALSE(Acquire().has_value());
}

TEST_F(StateLockTest, RefusesFilesAndDirectoriesOfOtherUsers) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "only root can give a file away";
  }
  dir_.Write("reg.json.lock", "", 0600);
  ASSERT_EQ(::chown(dir_.File("reg.json.lock").c_str(), 1234, 0), 0);
  EXPECT_FALSE(Acquire().has_value());
  std::filesystem::remove(dir_.File("reg.json.lock"));
  ASSERT_TRUE(Acquire().has_value());

  ASSERT_EQ(::chown(dir_.path().c_str(), 1234, 0), 0);
  EXPECT_FALSE(Acquire().has_value());
}

TEST_F(StateLockTest, SaysWhoseTheFilesAreAndWhatToDo) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "only root can give a file away";
  }
  const auto why = [&] {
    const auto lock = Acquire();
    return lock ? "" : DescribeLockFailure(ops_, directory_, dir_.File("reg.json"), lock.error());
  };
  const std::string lock_file = dir_.File("reg.json.lock");
  dir_.Write("reg.json.lock", "", 0600);
  ASSERT_EQ(::chown(lock_file.c_str(), 1234, 0), 0);
  EXPECT_EQ(why(), lock_file + " belongs to 1234 but this process is root: run it as 1234");

  ASSERT_EQ(::chown(lock_file.c_str(), 0, 0), 0);
  ASSERT_EQ(::chown(dir_.path().c_str(), 1234, 0), 0);
  EXPECT_EQ(why(), dir_.path() + " belongs to 1234 but this process is root: run it as 1234");

  ASSERT_EQ(::seteuid(1234), 0);
  const std::string denied = why();
  ASSERT_EQ(::seteuid(0), 0);
  EXPECT_EQ(denied, "cannot open " + lock_file + " (owned by root): chown 1234 " + lock_file);

  ASSERT_EQ(::chown(dir_.path().c_str(), 0, 0), 0);
  ASSERT_EQ(::chmod(lock_file.c_str(), 0644), 0);
  EXPECT_EQ(why(), lock_file + ": mode 0644, at most 0600 is allowed; run chmod 0600 " + lock_file);

  ASSERT_EQ(::chmod(lock_file.c_str(), 0600), 0);
  const StateLock held = Acquire().value();
  EXPECT_EQ(why(), "cannot lock the state directory: locked by another process");
}

TEST_F(StateLockTest, CreatesAFileThatOnlyItsOwnerMayOpen) {
  ASSERT_TRUE(Acquire().has_value());

  struct ::stat info {};

  ASSERT_EQ(::stat(dir_.File("reg.json.lock").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
}

}  // namespace
}  // namespace baokms::supervisor
