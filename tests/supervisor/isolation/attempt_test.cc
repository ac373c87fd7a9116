#include "supervisor/isolation/attempt.h"

#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace baokms::supervisor {
namespace {

constexpr AttemptUser kNobody{.uid = 65534, .gid = 65534, .groups = {}};

class AttemptTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) {
      GTEST_SKIP() << "only root can become another user";
    }
  }

  static std::string MakeFile(const std::string& name, mode_t mode) {
    const std::string path = ::testing::TempDir() + name;
    std::ofstream(path) << "secret";
    EXPECT_EQ(::chmod(path.c_str(), mode), 0);
    return path;
  }
};

TEST_F(AttemptTest, ReadsWhatTheUserCanRead) {
  const std::string open = MakeFile("attempt_open", 0644);
  const std::string closed = MakeFile("attempt_closed", 0600);
  const auto failures = TryToRead(kNobody, {open, closed, "/nonexistent"});
  EXPECT_EQ(failures, (std::vector<int>{0, EACCES, ENOENT}));
}

TEST_F(AttemptTest, UsesTheGroups) {
  const std::string path = MakeFile("attempt_group", 0040);
  ASSERT_EQ(::chown(path.c_str(), 0, 4711), 0);
  EXPECT_EQ(TryToRead(kNobody, {path}), std::vector<int>{EACCES});
  EXPECT_EQ(TryToRead({.uid = 65534, .gid = 65534, .groups = {4711}}, {path}), std::vector<int>{0});
}

// A provider that runs as root has no capabilities either.
TEST_F(AttemptTest, HasNoCapabilities) {
  const std::string path = MakeFile("attempt_nobody", 0600);
  ASSERT_EQ(::chown(path.c_str(), kNobody.uid, kNobody.gid), 0);
  EXPECT_EQ(TryToRead({.uid = 0, .gid = 0, .groups = {}}, {path}), std::vector<int>{EACCES});
}

}  // namespace
}  // namespace baokms::supervisor
