#include "common/base/safe_path.h"

#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>

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

  [[nodiscard]] bool Opens(const std::string& path) const {
    return OpenFileByRules(path, rules_).fd.valid();
  }

  [[nodiscard]] PathRefusal RefusalOf(const std::string& path) const {
    const Opened file = OpenFileByRules(path, rules_);
    EXPECT_FALSE(file.fd.valid()) << path;
    EXPECT_TRUE(file.refusal.has_value()) << path;
    return file.refusal.value_or(PathRefusal{});
  }

  [[nodiscard]] PathRule Refusal(const std::string& path) const { return RefusalOf(path).rule; }

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
  const Opened file = OpenFileByRules(MakeFile("jwt"), rules_);
  ASSERT_TRUE(file.fd.valid());
  EXPECT_FALSE(file.refusal.has_value());
  EXPECT_EQ(file.size, 7U);
  char first = 0;
  ASSERT_EQ(::read(file.fd.get(), &first, 1), 1);
  EXPECT_EQ(first, 'c');
}

TEST_F(SafePathTest, AcceptsDotsAndRepeatedSlashes) {
  MakeFile("jwt");
  MakeDirectory("sub", 0755);
  EXPECT_TRUE(Opens(root_.string() + "//./sub/../jwt"));
}

TEST_F(SafePathTest, RefusesPathsThatAreNotAbsolute) {
  EXPECT_EQ(Refusal("jwt"), PathRule::kForm);
  EXPECT_EQ(Refusal(""), PathRule::kForm);
  EXPECT_EQ(Refusal(std::string("/tmp/a\0b", 8)), PathRule::kForm);
  EXPECT_EQ(Refusal("/" + std::string(5000, 'a')), PathRule::kForm);
}

TEST_F(SafePathTest, NamesAMissingPartMissing) {
  EXPECT_EQ(RefusalOf(root_ / "nothing").sys_errno, ENOENT);
  EXPECT_EQ(RefusalOf(root_ / "no" / "jwt").sys_errno, ENOENT);
  EXPECT_EQ(Refusal(root_ / "nothing"), PathRule::kOpens);
  EXPECT_EQ(Refusal(MakeFile("jwt") + "/below"), PathRule::kDirectory);
}

TEST_F(SafePathTest, RefusesEveryForbiddenBit) {
  for (const mode_t bit : {0001U, 0002U, 0004U, 0010U, 0020U}) {
    EXPECT_EQ(Refusal(MakeFile("jwt", 0600 | bit)), PathRule::kMode) << bit;
  }
  EXPECT_TRUE(Opens(MakeFile("jwt", 0640)));
}

TEST_F(SafePathTest, RefusesWhatIsNotARegularFileWithoutWaitingForIt) {
  const std::string pipe = root_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(Refusal(pipe), PathRule::kRegular);
  EXPECT_EQ(Refusal(MakeDirectory("sub", 0700)), PathRule::kRegular);
  EXPECT_EQ(Refusal("/"), PathRule::kRegular);
  EXPECT_EQ(Refusal("/dev/null"), PathRule::kRegular);
}

TEST_F(SafePathTest, RefusesAFileOverTheMaximum) {
  rules_.max_size = 6;
  EXPECT_EQ(Refusal(MakeFile("jwt")), PathRule::kSize);
  rules_.max_size = 7;
  EXPECT_TRUE(Opens(MakeFile("jwt")));
}

TEST_F(SafePathTest, RefusesADirectoryThatOthersMayWriteUnlessItIsSticky) {
  for (const mode_t mode : {0720U, 0702U, 0777U}) {
    MakeDirectory("open", mode);
    EXPECT_EQ(Refusal(MakeFile("open/jwt")), PathRule::kNotWritable) << mode;
  }
  MakeDirectory("open", 01777);
  EXPECT_TRUE(Opens(MakeFile("open/jwt")));
}

TEST_F(SafePathTest, RefusesAFileOfAnotherUser) {
  SKIP_UNLESS_ROOT();
  const std::string path = MakeFile("jwt");
  ASSERT_EQ(::chown(path.c_str(), kStranger, 0), 0);
  EXPECT_EQ(Refusal(path), PathRule::kOwner);
  rules_.own_user = kStranger;
  EXPECT_TRUE(Opens(path));
}

TEST_F(SafePathTest, FollowsLinksLikeAProjectedVolume) {
  SKIP_UNLESS_ROOT();
  MakeDirectory("volume", 01777);
  MakeDirectory("volume/..2024", 0755);
  MakeFile("volume/..2024/token");
  fs::create_symlink("..2024", root_ / "volume" / "..data");
  fs::create_symlink("..data/token", root_ / "volume" / "token");
  EXPECT_TRUE(Opens(root_ / "volume" / "token"));
}

TEST_F(SafePathTest, FollowsAnAbsoluteLinkOfRoot) {
  SKIP_UNLESS_ROOT();
  fs::create_symlink(MakeFile("real"), root_ / "link");
  EXPECT_TRUE(Opens(root_ / "link"));
}

TEST_F(SafePathTest, RefusesALinkThatRootDoesNotOwn) {
  SKIP_UNLESS_ROOT();
  fs::create_symlink(MakeFile("real"), root_ / "link");
  ASSERT_EQ(::lchown((root_ / "link").c_str(), kStranger, 0), 0);
  EXPECT_EQ(Refusal(root_ / "link"), PathRule::kLink);
}

TEST_F(SafePathTest, RefusesALinkWhenAnyDirectoryPassedIsNotRoots) {
  SKIP_UNLESS_ROOT();
  const std::string theirs = MakeDirectory("theirs", 0755);
  MakeFile("theirs/real");
  ASSERT_EQ(::chown(theirs.c_str(), kStranger, 0), 0);
  EXPECT_TRUE(Opens(theirs + "/real")) << "no link, so allowed";
  fs::create_symlink("theirs/real", root_ / "into");
  EXPECT_EQ(Refusal(root_ / "into"), PathRule::kLink);
  fs::create_symlink("../outside", root_ / "theirs" / "out");
  MakeFile("outside");
  EXPECT_EQ(Refusal(theirs + "/out"), PathRule::kLink);
}

TEST_F(SafePathTest, EndsOnALinkThatLeadsToItself) {
  fs::create_symlink("loop", root_ / "loop");
  EXPECT_EQ(Refusal(root_ / "loop"), ::geteuid() == 0 ? PathRule::kLinks : PathRule::kLink);
}

TEST_F(SafePathTest, FollowsAsManyLinksAsTheKernel) {
  constexpr int kMost = 40;  // path_resolution(7)
  std::string target = MakeFile("jwt");
  for (int i = 0; i <= kMost; ++i) {
    const fs::path link = root_ / ("link" + std::to_string(i));
    fs::create_symlink(target, link);
    target = link;
  }
  const bool is_root = ::geteuid() == 0;  // links of others are not followed at all
  EXPECT_EQ(Opens(root_ / "link39"), is_root);
  EXPECT_EQ(Refusal(root_ / "link40"), is_root ? PathRule::kLinks : PathRule::kLink);
}

// What each rule found, what it allows, and one remedy.
TEST_F(SafePathTest, DescribesWhatWasFoundAndWhatToDo) {
  EXPECT_EQ(RefusalOf(MakeFile("jwt", 0644)).Describe("FILE"),
            "mode 0644, at most 0640 is allowed; run chmod 0640 FILE");
  EXPECT_EQ(RefusalOf(MakeFile("jwt", 0755)).Describe("FILE"),
            "mode 0755, at most 0640 is allowed; run chmod 0640 FILE");
  MakeDirectory("open", 0777);
  EXPECT_EQ(RefusalOf(MakeFile("open/jwt")).Describe("DIRECTORY"),
            "is writable by others: mode 0777, at most 0755 is allowed; run chmod 0755 DIRECTORY");
  EXPECT_EQ(RefusalOf(root_ / "nothing").Describe("FILE"),
            "cannot be opened: No such file or directory; create it, or correct the path");
  rules_.max_size = 6;
  EXPECT_EQ(RefusalOf(MakeFile("jwt")).Describe("FILE"),
            "is larger than 6 bytes; check what writes it");
  const PathRefusal owner{
      .rule = PathRule::kOwner, .component = "/jwt", .owner = kStranger, .own_user = 994};
  EXPECT_EQ(owner.Describe("FILE"),
            "belongs to uid 54321 but this process is uid 994; run chown 994 FILE");
}

// What was checked on the way is what is opened: somebody swaps two files that are both good.
TEST_F(SafePathTest, NoticesAFileThatIsSwappedBetweenCheckAndOpening) {
  const std::string path = MakeFile("jwt");
  const std::string other = MakeFile("other");
  std::atomic<bool> done = false;
  std::thread swapping([&] {
    while (!done) {
      (void)::syscall(SYS_renameat2, AT_FDCWD, path.c_str(), AT_FDCWD, other.c_str(),
                      RENAME_EXCHANGE);
    }
  });
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  bool noticed = false;
  while (!noticed && std::chrono::steady_clock::now() < limit) {
    const Opened file = OpenFileByRules(path, rules_);
    noticed = file.refusal && file.refusal->rule == PathRule::kSame;
  }
  done = true;
  swapping.join();
  EXPECT_TRUE(noticed);
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
