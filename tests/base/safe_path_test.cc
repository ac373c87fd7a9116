#include "common/base/safe_path.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "common/base/error.h"

namespace baokms {
namespace {

namespace fs = std::filesystem;

constexpr uid_t kStranger = 54321;

// A private directory below /tmp, which is sticky and so allowed on the way.
class SafePathTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/safe_path_XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    rules_ = {.forbidden_bits = 0037, .max_size = 16, .own_user = ::geteuid()};
  }

  void TearDown() override { fs::remove_all(root_); }

  std::string MakeFile(const std::string& name, mode_t mode = 0640) const {
    const std::string path = root_ / name;
    std::ofstream(path) << "content";
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }

  std::string MakeDirectory(const std::string& name, mode_t mode) const {
    const std::string path = root_ / name;
    fs::create_directory(path);
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }

  [[nodiscard]] ErrorCode Refusal(const std::string& path) const {
    const Result<SafeFile> file = OpenSafeFile(path, rules_);
    EXPECT_FALSE(file.has_value()) << path;
    return file ? ErrorCode::kInternal : file.error().code();
  }

  fs::path root_;
  FileRules rules_;
};

// Ownership can be given away by root alone; the unit lane runs as root in CI.
#define SKIP_UNLESS_ROOT()                                      \
  if (::geteuid() != 0) {                                       \
    GTEST_SKIP() << "needs root to make files of another user"; \
  }                                                             \
  static_assert(true)

TEST_F(SafePathTest, OpensAnOrdinaryFileAtItsStart) {
  const Result<SafeFile> file = OpenSafeFile(MakeFile("jwt"), rules_);
  ASSERT_TRUE(file.has_value()) << file.error().ToString();
  EXPECT_EQ(file->size, 7U);
  char first = 0;
  ASSERT_EQ(::read(file->fd.get(), &first, 1), 1);
  EXPECT_EQ(first, 'c');
}

TEST_F(SafePathTest, AcceptsDotsAndRepeatedSlashes) {
  MakeFile("jwt");
  MakeDirectory("sub", 0755);
  EXPECT_TRUE(OpenSafeFile(root_.string() + "//./sub/../jwt", rules_).has_value());
}

TEST_F(SafePathTest, RefusesPathsThatAreNotAbsolute) {
  EXPECT_EQ(Refusal("jwt"), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Refusal(""), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Refusal(std::string("/tmp/a\0b", 8)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Refusal("/" + std::string(5000, 'a')), ErrorCode::kInvalidArgument);
}

TEST_F(SafePathTest, NamesAMissingPartMissing) {
  EXPECT_EQ(Refusal(root_ / "nothing"), ErrorCode::kNotFound);
  EXPECT_EQ(Refusal(root_ / "no" / "jwt"), ErrorCode::kNotFound);
  EXPECT_EQ(Refusal(MakeFile("jwt") + "/below"), ErrorCode::kNotFound);
}

TEST_F(SafePathTest, RefusesEveryForbiddenBit) {
  for (const mode_t bit : {0001U, 0002U, 0004U, 0010U, 0020U}) {
    EXPECT_EQ(Refusal(MakeFile("jwt", 0600 | bit)), ErrorCode::kPermissionDenied) << bit;
  }
  EXPECT_TRUE(OpenSafeFile(MakeFile("jwt", 0640), rules_).has_value());
}

TEST_F(SafePathTest, RefusesWhatIsNotARegularFileWithoutWaitingForIt) {
  const std::string pipe = root_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(Refusal(pipe), ErrorCode::kPermissionDenied);
  EXPECT_EQ(Refusal(MakeDirectory("sub", 0700)), ErrorCode::kPermissionDenied);
  EXPECT_EQ(Refusal("/"), ErrorCode::kPermissionDenied);
  EXPECT_EQ(Refusal("/dev/null"), ErrorCode::kPermissionDenied);
}

TEST_F(SafePathTest, RefusesAFileOverTheMaximum) {
  rules_.max_size = 6;
  EXPECT_EQ(Refusal(MakeFile("jwt")), ErrorCode::kResourceExhausted);
  rules_.max_size = 7;
  EXPECT_TRUE(OpenSafeFile(MakeFile("jwt"), rules_).has_value());
}

TEST_F(SafePathTest, RefusesADirectoryThatOthersMayWriteUnlessItIsSticky) {
  for (const mode_t mode : {0720U, 0702U, 0777U}) {
    MakeDirectory("open", mode);
    EXPECT_EQ(Refusal(MakeFile("open/jwt")), ErrorCode::kPermissionDenied) << mode;
  }
  MakeDirectory("open", 01777);
  EXPECT_TRUE(OpenSafeFile(MakeFile("open/jwt"), rules_).has_value());
}

TEST_F(SafePathTest, RefusesAFileOfAnotherUser) {
  SKIP_UNLESS_ROOT();
  const std::string path = MakeFile("jwt");
  ASSERT_EQ(::chown(path.c_str(), kStranger, 0), 0);
  EXPECT_EQ(Refusal(path), ErrorCode::kPermissionDenied);
  rules_.own_user = kStranger;
  EXPECT_TRUE(OpenSafeFile(path, rules_).has_value());
}

TEST_F(SafePathTest, FollowsLinksLikeAProjectedVolume) {
  SKIP_UNLESS_ROOT();
  MakeDirectory("volume", 01777);
  MakeDirectory("volume/..2024", 0755);
  MakeFile("volume/..2024/token");
  fs::create_symlink("..2024", root_ / "volume" / "..data");
  fs::create_symlink("..data/token", root_ / "volume" / "token");
  const Result<SafeFile> file = OpenSafeFile(root_ / "volume" / "token", rules_);
  EXPECT_TRUE(file.has_value()) << file.error().ToString();
}

TEST_F(SafePathTest, FollowsAnAbsoluteLinkOfRoot) {
  SKIP_UNLESS_ROOT();
  fs::create_symlink(MakeFile("real"), root_ / "link");
  EXPECT_TRUE(OpenSafeFile(root_ / "link", rules_).has_value());
}

TEST_F(SafePathTest, RefusesALinkThatRootDoesNotOwn) {
  SKIP_UNLESS_ROOT();
  fs::create_symlink(MakeFile("real"), root_ / "link");
  ASSERT_EQ(::lchown((root_ / "link").c_str(), kStranger, 0), 0);
  EXPECT_EQ(Refusal(root_ / "link"), ErrorCode::kPermissionDenied);
}

TEST_F(SafePathTest, RefusesALinkWhenAnyDirectoryPassedIsNotRoots) {
  SKIP_UNLESS_ROOT();
  const std::string theirs = MakeDirectory("theirs", 0755);
  MakeFile("theirs/real");
  ASSERT_EQ(::chown(theirs.c_str(), kStranger, 0), 0);
  EXPECT_TRUE(OpenSafeFile(theirs + "/real", rules_).has_value()) << "no link, so allowed";
  fs::create_symlink("theirs/real", root_ / "into");
  EXPECT_EQ(Refusal(root_ / "into"), ErrorCode::kPermissionDenied);
  fs::create_symlink("../outside", root_ / "theirs" / "out");
  MakeFile("outside");
  EXPECT_EQ(Refusal(theirs + "/out"), ErrorCode::kPermissionDenied);
}

TEST_F(SafePathTest, EndsOnALinkThatLeadsToItself) {
  fs::create_symlink("loop", root_ / "loop");
  EXPECT_EQ(Refusal(root_ / "loop"), ErrorCode::kPermissionDenied);
}

TEST_F(SafePathTest, StampsDifferWhenAFileIsReplaced) {
  const std::string path = MakeFile("jwt");
  const FileStamp first = StampFile(path);
  EXPECT_EQ(StampFile(path), first);
  fs::rename(MakeFile("new"), path);
  EXPECT_NE(StampFile(path), first);
  fs::remove(path);
  EXPECT_EQ(StampFile(path), FileStamp());
}

}  // namespace
}  // namespace baokms
