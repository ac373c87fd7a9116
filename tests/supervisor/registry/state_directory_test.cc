#include "supervisor/registry/state_directory.h"

#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "faulty_file_ops.h"
#include "gtest/gtest.h"
#include "test_directory.h"

namespace baokms::supervisor {
namespace {

class StateDirectoryTest : public ::testing::Test {
 protected:
  Result<StateDirectory> Open() { return StateDirectory::Open(ops_, dir_.File("reg.json")); }

  TestDirectory dir_;
  FaultyFileOps ops_;
};

::mode_t ModeOf(const std::string& path) {
  struct ::stat info {};

  EXPECT_EQ(::lstat(path.c_str(), &info), 0);
  return info.st_mode & 07777;
}

TEST_F(StateDirectoryTest, ReadsBackWhatItWrote) {
  const StateDirectory directory = Open().value();
  ASSERT_TRUE(directory.ReplaceFile("reg.json", "first").has_value());
  ASSERT_TRUE(directory.ReplaceFile("reg.json", "second").has_value());
  EXPECT_EQ(directory.ReadFile("reg.json", 100).value(), "second");
  EXPECT_EQ(ModeOf(dir_.File("reg.json")), 0640U);
  EXPECT_FALSE(dir_.Has(".reg.json.tmp"));
}

TEST_F(StateDirectoryTest, WritesMode0640UnderAnyUmask) {
  const ::mode_t before = ::umask(0777);
  const StateDirectory directory = Open().value();
  const Status written = directory.ReplaceFile("reg.json", "x");
  ::umask(before);
  ASSERT_TRUE(written.has_value());
  EXPECT_EQ(ModeOf(dir_.File("reg.json")), 0640U);
}

TEST_F(StateDirectoryTest, SaysNotFoundForAMissingDirectory) {
  const auto opened = StateDirectory::Open(ops_, dir_.File("missing/reg.json"));
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code(), ErrorCode::kNotFound);
}

TEST_F(StateDirectoryTest, ReportsAMissingFileAsAbsent) {
  EXPECT_FALSE(Open().value().ReadFile("reg.json", 100).value().has_value());
}

TEST_F(StateDirectoryTest, RefusesPathsThatNameNoFile) {
  for (const char* path : {"reg.json", "", "/", "/tmp/"}) {
    SCOPED_TRACE(path);
    const auto opened = StateDirectory::Open(ops_, path);
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST_F(StateDirectoryTest, RefusesADirectoryThatIsALink) {
  std::filesystem::create_directory(dir_.File("real"));
  std::filesystem::create_directory_symlink(dir_.File("real"), dir_.File("link"));
  const auto opened = StateDirectory::Open(ops_, dir_.File("link/reg.json"));
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code(), ErrorCode::kPermissionDenied);
}

TEST_F(StateDirectoryTest, RefusesADirectoryThatOthersMayWrite) {
  for (const ::mode_t mode : {0720U, 0702U, 0777U}) {
    SCOPED_TRACE(mode);
    ASSERT_EQ(::chmod(dir_.path().c_str(), mode), 0);
    EXPECT_FALSE(Open().has_value());
  }
}

TEST_F(StateDirectoryTest, NoticesAModeThatWidensLater) {
  const StateDirectory directory = Open().value();
  ASSERT_TRUE(directory.ReplaceFile("reg.json", "x").has_value());
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0722), 0);
  EXPECT_FALSE(directory.ReadFile("reg.json", 100).has_value());
  EXPECT_FALSE(directory.ReplaceFile("reg.json", "y").has_value());
}

TEST_F(StateDirectoryTest, RefusesEveryModeBitThatIsTooWide) {
  const StateDirectory directory = Open().value();
  for (::mode_t bit = 1; bit <= 0400; bit <<= 1) {
    SCOPED_TRACE(bit);
    dir_.Write("reg.json", "x", 0600 | bit);
    const bool allowed = (bit & 0137) == 0;
    EXPECT_EQ(directory.ReadFile("reg.json", 100).has_value(), allowed);
  }
}

TEST_F(StateDirectoryTest, RefusesLinksFifosAndDirectories) {
  const StateDirectory directory = Open().value();
  dir_.Write("target", "x");
  std::filesystem::create_symlink(dir_.File("target"), dir_.File("link"));
  ASSERT_EQ(::mkfifo(dir_.File("fifo").c_str(), 0600), 0);
  std::filesystem::create_directory(dir_.File("dir"));
  for (const char* name : {"link", "fifo", "dir"}) {
    SCOPED_TRACE(name);
    EXPECT_FALSE(directory.ReadFile(name, 100).has_value());
    EXPECT_FALSE(directory.ReplaceFile(name, "y").has_value());
  }
  EXPECT_EQ(dir_.Read("target"), "x");
}

TEST_F(StateDirectoryTest, ReadsUpToTheLimitAndNoFurther) {
  const StateDirectory directory = Open().value();
  dir_.Write("reg.json", std::string(40'000, 'x'));
  EXPECT_EQ(directory.ReadFile("reg.json", 40'000).value()->size(), 40'000U);
  const auto over = directory.ReadFile("reg.json", 39'999);
  ASSERT_FALSE(over.has_value());
  EXPECT_EQ(over.error().code(), ErrorCode::kResourceExhausted);
}

TEST_F(StateDirectoryTest, ReplacesAStaleTemporaryFile) {
  const StateDirectory directory = Open().value();
  dir_.Write(".reg.json.tmp", "left over");
  ASSERT_TRUE(directory.ReplaceFile("reg.json", "new").has_value());
  EXPECT_EQ(dir_.Read("reg.json"), "new");
  EXPECT_FALSE(dir_.Has(".reg.json.tmp"));
}

TEST_F(StateDirectoryTest, DoesNotWriteThroughALinkInPlaceOfTheTemporaryFile) {
  const StateDirectory directory = Open().value();
  dir_.Write("victim", "keep");
  std::filesystem::create_symlink(dir_.File("victim"), dir_.File(".reg.json.tmp"));
  ASSERT_TRUE(directory.ReplaceFile("reg.json", "new").has_value());
  EXPECT_EQ(dir_.Read("victim"), "keep");
}

TEST_F(StateDirectoryTest, KeepsTheOldOrHasTheNewFileWhicheverOperationFails) {
  const StateDirectory directory = Open().value();
  ASSERT_TRUE(directory.ReplaceFile("reg.json", "old").has_value());
  ops_.FailAt(FaultyFileOps::kNever, FaultyFileOps::After::kGoesOn);
  ASSERT_TRUE(directory.ReplaceFile("reg.json", "old").has_value());
  const std::size_t operations = ops_.count();
  ASSERT_GE(operations, 8U);  // remove, create, write, chmod, fsync, close, rename, fsync
  for (std::size_t i = 1; i < operations; ++i) {
    SCOPED_TRACE(i);
    ops_.FailAt(i, FaultyFileOps::After::kGoesOn);
    EXPECT_FALSE(directory.ReplaceFile("reg.json", "new").has_value());
    const bool renamed = i + 1 == operations;
    EXPECT_EQ(dir_.Read("reg.json"), renamed ? "new" : "old");
    ops_.FailAt(FaultyFileOps::kNever, FaultyFileOps::After::kGoesOn);
    ASSERT_TRUE(directory.ReplaceFile("reg.json", "old").has_value());
  }
}

}  // namespace
}  // namespace baokms::supervisor
