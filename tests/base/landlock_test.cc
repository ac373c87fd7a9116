// Each right that Landlock takes away is seen to be there before.

#include "common/base/landlock.h"

#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "common/base/unique_fd.h"

namespace baokms {
namespace {

using Deed = std::function<int()>;

class LandlockTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(root_.data()), nullptr);
    for (const char* name : {"/readable", "/changeable", "/closed", "/sockets"}) {
      std::filesystem::create_directory(root_ + name);
      std::ofstream(root_ + name + "/file") << "x";
    }
    rules_.readable = {root_ + "/readable", root_ + "/missing"};
    rules_.changeable = {root_ + "/changeable"};
    rules_.sockets = {root_ + "/sockets"};
    const auto state = In([] { return 0; });
    if (state == ENOSYS) {
      GTEST_SKIP() << "this kernel has no Landlock";
    }
  }

  void TearDown() override { std::filesystem::remove_all(root_); }

  // The errno of a deed in a child under the rules; ENOSYS without Landlock.
  [[nodiscard]] int In(const Deed& deed) const {
    const pid_t child = ::fork();
    if (child == 0) {
      (void)::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
      const auto state = EnterLandlock(rules_);
      ::_exit(!state ? 254 : state->use != LandlockState::Use::kInForce ? ENOSYS : deed());
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  void ExpectTaken(const Deed& deed, int with_errno = EACCES) const {
    EXPECT_EQ(deed(), 0) << "outside";
    EXPECT_EQ(In(deed), with_errno);
  }

  [[nodiscard]] Deed Opens(const std::string& path, int flags) const {
    return [full = root_ + path, flags] {
      return UniqueFd(::open(full.c_str(), flags | O_CLOEXEC, 0600)).valid() ? 0 : errno;
    };
  }

  std::string root_ = ::testing::TempDir() + "landlock.XXXXXX";
  LandlockRules rules_;
};

TEST_F(LandlockTest, LeavesFilesBelowTheDirectoriesThatAreNamed) {
  EXPECT_EQ(In(Opens("/readable/file", O_RDONLY)), 0);
  EXPECT_EQ(In(Opens("/readable", O_RDONLY | O_DIRECTORY)), 0);
  EXPECT_EQ(In(Opens("/changeable/file", O_RDWR | O_TRUNC)), 0);
  EXPECT_EQ(In(Opens("/changeable/new", O_WRONLY | O_CREAT)), 0);
  ExpectTaken(Opens("/closed/file", O_RDONLY));
  ExpectTaken(Opens("/closed", O_RDONLY | O_DIRECTORY));
  ExpectTaken(Opens("/readable/file", O_WRONLY));
  ExpectTaken(Opens("/readable/other", O_WRONLY | O_CREAT));
  ExpectTaken([] { return UniqueFd(::open("/proc/self/maps", O_RDONLY)).valid() ? 0 : errno; });
}

TEST_F(LandlockTest, LeavesAFileThatReplacesAnother) {
  EXPECT_EQ(In([this] {
              // As a tool outside of the rules does it.
              return std::rename((root_ + "/changeable/file").c_str(),
                                 (root_ + "/changeable/again").c_str()) == 0
                         ? Opens("/changeable/again", O_RDONLY)()
                         : errno;
            }),
            0);
}

TEST_F(LandlockTest, LeavesOneFileOfADirectory) {
  rules_.readable = {root_ + "/closed/file"};
  std::ofstream(root_ + "/closed/other") << "x";
  EXPECT_EQ(In(Opens("/closed/file", O_RDONLY)), 0);
  ExpectTaken(Opens("/closed/other", O_RDONLY));
}

TEST_F(LandlockTest, LeavesReadingIfItIsNotRestricted) {
  rules_.restrict_reading = false;
  EXPECT_EQ(In(Opens("/closed/file", O_RDONLY)), 0);
  ExpectTaken(Opens("/closed/file", O_WRONLY));
}

TEST_F(LandlockTest, LeavesThePortsThatAreNamed) {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const name = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(::bind(listener.get(), name, size), 0);
  ASSERT_EQ(::listen(listener.get(), 8), 0);
  ASSERT_EQ(::getsockname(listener.get(), name, &size), 0);
  const Deed connects = [&] {
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(socket.get(), name, size) == 0 ? 0 : errno;
  };
  ExpectTaken(connects);
  rules_.connect_ports = {ntohs(address.sin_port)};
  EXPECT_EQ(In(connects), 0);
  ExpectTaken([] {
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in any{};
    any.sin_family = AF_INET;
    return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0 ? 0
                                                                                          : errno;
  });
}

TEST_F(LandlockTest, SignalsNobodyOutside) {
  ExpectTaken([parent = ::getpid()] { return ::kill(parent, 0) == 0 ? 0 : errno; }, EPERM);
  rules_.restrict_scope = false;
  EXPECT_EQ(In([parent = ::getpid()] { return ::kill(parent, 0) == 0 ? 0 : errno; }), 0);
}

}  // namespace
}  // namespace baokms
