#include "supervisor/serve/kms_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms::supervisor {
namespace {

namespace fs = std::filesystem;

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* Generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

// A socket bound to `path`, listening if asked for.
enum class Listening { kNo, kYes };

UniqueFd BindTo(const std::string& path, Listening listening) {
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = AddressOf(path);
  EXPECT_EQ(::bind(socket.get(), Generic(address), sizeof address), 0);
  if (listening == Listening::kYes) {
    EXPECT_EQ(::listen(socket.get(), 1), 0);
  }
  return socket;
}

bool Answers(const std::string& path) {
  const UniqueFd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = AddressOf(path);
  return ::connect(client.get(), Generic(address), sizeof address) == 0;
}

class KmsSocketTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/kms_socket_XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    options_ = {.path = (root_ / "kms.sock").string(), .mode = 0660, .group = ::getegid()};
  }

  void TearDown() override { fs::remove_all(root_); }

  struct stat Facts() const {
    struct stat facts {};

    EXPECT_EQ(::lstat(options_.path.c_str(), &facts), 0);
    return facts;
  }

  [[nodiscard]] ErrorCode Refusal() const {
    const Result<KmsSocket> socket = OpenKmsSocket(options_);
    EXPECT_FALSE(socket.has_value());
    return socket ? ErrorCode::kInternal : socket.error().code();
  }

  fs::path root_;
  KmsSocketOptions options_;
};

TEST_F(KmsSocketTest, ListensWithTheConfiguredMode) {
  const Result<KmsSocket> socket = OpenKmsSocket(options_);
  ASSERT_TRUE(socket) << socket.error().ToString();
  EXPECT_EQ(socket->origin, SocketOrigin::kBound);
  EXPECT_EQ(Facts().st_mode, static_cast<mode_t>(S_IFSOCK | 0660));
  EXPECT_TRUE(Answers(options_.path));
  EXPECT_EQ(::fcntl(socket->listener.get(), F_GETFD), FD_CLOEXEC);
  EXPECT_NE(::fcntl(socket->listener.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(KmsSocketTest, GivesTheSocketToTheConfiguredGroup) {
  if (::geteuid() != 0) {
    GTEST_SKIP() << "needs root to give a file to a group of nobody's";
  }
  options_.group = 54321;
  options_.mode = 0600;
  ASSERT_TRUE(OpenKmsSocket(options_));
  EXPECT_EQ(Facts().st_gid, 54321U);
  EXPECT_EQ(Facts().st_mode & 07777U, 0600U);
}

TEST_F(KmsSocketTest, ReplacesASocketThatNobodyListensOn) {
  (void)BindTo(options_.path, Listening::kYes);  // closed at once: what a killed provider leaves
  const Result<KmsSocket> socket = OpenKmsSocket(options_);
  ASSERT_TRUE(socket) << socket.error().ToString();
  EXPECT_EQ(socket->origin, SocketOrigin::kReplacedDead);
  EXPECT_TRUE(Answers(options_.path));
}

TEST_F(KmsSocketTest, RefusesASocketThatSomebodyAnswersOn) {
  const UniqueFd other = BindTo(options_.path, Listening::kYes);
  EXPECT_EQ(Refusal(), ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(Answers(options_.path)) << "it is not removed";
}

// A full queue answers EAGAIN: alive, though it takes no connection now.
TEST_F(KmsSocketTest, RefusesASocketWhoseQueueIsFull) {
  const UniqueFd other(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_un address = AddressOf(options_.path);
  ASSERT_EQ(::bind(other.get(), Generic(address), sizeof address), 0);
  ASSERT_EQ(::listen(other.get(), 0), 0);
  const UniqueFd waiting(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(waiting.get(), Generic(address), sizeof address), 0);
  EXPECT_EQ(Refusal(), ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(fs::exists(options_.path));
}

TEST_F(KmsSocketTest, RemovesNothingThatIsNotASocket) {
  std::ofstream(options_.path) << "data";
  EXPECT_EQ(Refusal(), ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(fs::is_regular_file(options_.path));
  fs::remove(options_.path);

  const fs::path elsewhere = root_ / "other.sock";
  (void)BindTo(elsewhere, Listening::kNo);
  fs::create_symlink(elsewhere, options_.path);
  EXPECT_EQ(Refusal(), ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(fs::is_symlink(options_.path)) << "a link is judged itself, never its target";
}

TEST_F(KmsSocketTest, RefusesADirectoryThatOthersCanWrite) {
  ASSERT_EQ(::chmod(root_.c_str(), 0770), 0);
  EXPECT_EQ(Refusal(), ErrorCode::kFailedPrecondition);
  ASSERT_EQ(::chmod(root_.c_str(), 0702), 0);
  EXPECT_EQ(Refusal(), ErrorCode::kFailedPrecondition);
}

TEST_F(KmsSocketTest, RefusesADirectoryThatIsMissing) {
  options_.path = (root_ / "missing" / "kms.sock").string();
  EXPECT_EQ(Refusal(), ErrorCode::kFailedPrecondition);
}

TEST_F(KmsSocketTest, RefusesAPathThatNoAddressCanHold) {
  options_.path = (root_ / std::string(120, 'x')).string();
  EXPECT_EQ(Refusal(), ErrorCode::kInvalidArgument);
}

TEST_F(KmsSocketTest, IsRemovedAtAnOrderedEnd) {
  const Result<KmsSocket> socket = OpenKmsSocket(options_);
  ASSERT_TRUE(socket);
  RemoveKmsSocket(options_.path, *socket);
  EXPECT_FALSE(fs::exists(options_.path));
}

TEST_F(KmsSocketTest, LeavesTheSocketOfAnotherProcessAlone) {
  const Result<KmsSocket> socket = OpenKmsSocket(options_);
  ASSERT_TRUE(socket);
  EXPECT_TRUE(LeadsTo(options_.path, *socket));
  fs::rename(options_.path, root_ / "moved.sock");
  EXPECT_FALSE(LeadsTo(options_.path, *socket));
  const UniqueFd other = BindTo(options_.path, Listening::kYes);
  EXPECT_FALSE(LeadsTo(options_.path, *socket));
  RemoveKmsSocket(options_.path, *socket);
  EXPECT_TRUE(Answers(options_.path));
}

TEST_F(KmsSocketTest, IsBoundAgainWithTheSameModeAndChecks) {
  const Result<KmsSocket> socket = OpenKmsSocket(options_);
  ASSERT_TRUE(socket);
  fs::remove(options_.path);
  const Result<KmsSocket> again = BindKmsSocket(options_);
  ASSERT_TRUE(again) << again.error().ToString();
  EXPECT_EQ(Facts().st_mode, static_cast<mode_t>(S_IFSOCK | 0660));
  EXPECT_TRUE(LeadsTo(options_.path, *again));
  EXPECT_TRUE(Answers(options_.path));
  fs::remove(options_.path);
  ASSERT_EQ(::chmod(root_.c_str(), 0770), 0);
  const Result<KmsSocket> refused = BindKmsSocket(options_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kFailedPrecondition);
}

TEST_F(KmsSocketTest, DoesNotLeadToASocketThatOthersMayConnectTo) {
  const Result<KmsSocket> socket = OpenKmsSocket(options_);
  ASSERT_TRUE(socket);
  ASSERT_EQ(::chmod(options_.path.c_str(), 0), 0);
  EXPECT_FALSE(LeadsTo(options_.path, *socket));
  ASSERT_EQ(::chmod(options_.path.c_str(), 0660), 0);
  EXPECT_TRUE(LeadsTo(options_.path, *socket));
  if (::geteuid() == 0) {
    ASSERT_EQ(::lchown(options_.path.c_str(), 1234, 1234), 0);
    EXPECT_FALSE(LeadsTo(options_.path, *socket));
  }
  RemoveKmsSocket(options_.path, *socket);
  EXPECT_FALSE(fs::exists(options_.path)) << "its own, whoever may connect to it";
}

// What systemd passes is descriptor 3 and two variables; so each case is a process of its own.
// Exit code: 0 accepted, else the error's code.
int TakeInherited(const UniqueFd& listener, const char* count, const KmsSocketOptions& options) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (listener.valid()) {
      (void)::dup2(listener.get(), 3);
    } else {
      (void)::close(3);
    }
    (void)::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
    (void)::setenv("LISTEN_FDS", count, 1);
    const Result<KmsSocket> socket = OpenKmsSocket(options);
    if (!socket) {
      ::_exit(static_cast<int>(socket.error().code()));
    }
    const bool good = socket->origin == SocketOrigin::kInherited && socket->listener.get() == 3 &&
                      ::fcntl(3, F_GETFD) == FD_CLOEXEC && std::getenv("LISTEN_FDS") == nullptr;
    ::_exit(good ? 0 : 99);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(KmsSocketTest, TakesTheListenerThatSystemdPasses) {
  const UniqueFd listener = BindTo(options_.path, Listening::kYes);
  const mode_t before = Facts().st_mode;
  EXPECT_EQ(TakeInherited(listener, "1", options_), 0);
  EXPECT_EQ(Facts().st_mode, before) << "its mode is the unit's";
}

TEST_F(KmsSocketTest, RefusesAnInheritedSocketThatIsNotTheConfiguredListener) {
  constexpr int kRefused = static_cast<int>(ErrorCode::kInvalidArgument);
  const UniqueFd elsewhere = BindTo((root_ / "other.sock").string(), Listening::kYes);
  EXPECT_EQ(TakeInherited(elsewhere, "1", options_), kRefused);
  const UniqueFd silent = BindTo(options_.path, Listening::kNo);
  EXPECT_EQ(TakeInherited(silent, "1", options_), kRefused);
  ASSERT_EQ(::listen(silent.get(), 1), 0);
  EXPECT_EQ(TakeInherited(silent, "2", options_), kRefused);
  EXPECT_EQ(TakeInherited(silent, "1", options_), 0) << "the same socket, as it should be";
  EXPECT_EQ(TakeInherited(UniqueFd(), "1", options_), kRefused) << "none was passed";
}

}  // namespace
}  // namespace baokms::supervisor
