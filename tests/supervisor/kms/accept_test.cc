#include "supervisor/kms/accept.h"

#include <sys/resource.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/supervisor/kms/fakes.h"
#include "tests/supervisor/kms/test_socket.h"
#include "tests/supervisor/workers/run_loop.h"

namespace baokms::supervisor {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Whether the other side closed the connection.
bool IsClosed(const UniqueFd& client) {
  pollfd poll{client.get(), POLLIN, 0};
  char byte = 0;
  return ::poll(&poll, 1, 0) == 1 && ::read(client.get(), &byte, 1) == 0;
}

class AcceptTest : public ::testing::Test {
 protected:
  void Start(PeerPolicy policy = {}) {
    acceptor_ = Acceptor::Create(
                    *loop_, socket_.listener(), std::move(policy), observers_,
                    [this](UniqueFd connection) { connections_.push_back(std::move(connection)); })
                    .value();
  }

  bool AwaitConnections(std::size_t count) {
    return RunUntil(*loop_, [&] { return connections_.size() >= count; });
  }

  TestSocket socket_;
  std::unique_ptr<EventLoop> loop_ = EventLoop::Create().value();
  FakeMetrics metrics_;
  FakeLog log_;
  Observers observers_{metrics_, log_};
  std::vector<UniqueFd> connections_;
  std::unique_ptr<Acceptor> acceptor_;
};

TEST_F(AcceptTest, HandsOverConnectionsAndSaysWhoseTheyAre) {
  Start();
  const UniqueFd first = socket_.Connect();
  const UniqueFd second = socket_.Connect();
  ASSERT_TRUE(AwaitConnections(2));
  EXPECT_EQ(metrics_.peers, 2);
  EXPECT_EQ(metrics_.last_uid, ::getuid());
  ASSERT_THAT(log_.Records(), SizeIs(2));
  EXPECT_EQ(log_.Records()[0].event, "kms.connection");
  const int flags = ::fcntl(connections_[0].get(), F_GETFL);
  EXPECT_NE(flags & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(connections_[0].get(), F_GETFD) & FD_CLOEXEC, 0);
}

TEST_F(AcceptTest, NoticesTheEndOfAConnectionFromEitherSide) {
  Start();
  const int before = CountDescriptors();
  UniqueFd first = socket_.Connect();
  UniqueFd second = socket_.Connect();
  ASSERT_TRUE(AwaitConnections(2));
  first.reset();
  EXPECT_TRUE(RunUntil(*loop_, [&] { return acceptor_->connections() == 1; }));
  // gRPC shuts a socket down before it closes it.
  ::shutdown(connections_[1].get(), SHUT_RDWR);
  EXPECT_TRUE(RunUntil(*loop_, [&] { return acceptor_->connections() == 0; }));
  EXPECT_EQ(metrics_.peers, 0);
  connections_.clear();
  second.reset();
  EXPECT_EQ(CountDescriptors(), before);
}

TEST_F(AcceptTest, TurnsAwayTheOneThatIsTooMany) {
  Start();
  std::vector<UniqueFd> clients;
  for (std::size_t i = 0; i < Acceptor::kMaxConnections; ++i) {
    clients.push_back(socket_.Connect());
  }
  ASSERT_TRUE(AwaitConnections(Acceptor::kMaxConnections));
  const UniqueFd extra = socket_.Connect();
  ASSERT_TRUE(RunUntil(*loop_, [&] { return IsClosed(extra); }));
  EXPECT_EQ(connections_.size(), Acceptor::kMaxConnections);

  clients.pop_back();
  connections_.clear();
  ASSERT_TRUE(
      RunUntil(*loop_, [&] { return acceptor_->connections() < Acceptor::kMaxConnections; }));
  const UniqueFd again = socket_.Connect();
  EXPECT_TRUE(AwaitConnections(1));
}

TEST_F(AcceptTest, AdmitsListedUids) {
  Start({.uids = {::getuid()}, .gids = {}});
  const UniqueFd client = socket_.Connect();
  EXPECT_TRUE(AwaitConnections(1));
}

TEST_F(AcceptTest, AdmitsListedGroups) {
  Start({.uids = {::getuid() + 1}, .gids = {::getgid()}});
  const UniqueFd client = socket_.Connect();
  EXPECT_TRUE(AwaitConnections(1));
}

TEST_F(AcceptTest, RefusesEverybodyElse) {
  Start({.uids = {::getuid() + 1}, .gids = {54321}});
  const UniqueFd client = socket_.Connect();
  ASSERT_TRUE(RunUntil(*loop_, [&] { return IsClosed(client); }));
  EXPECT_THAT(connections_, SizeIs(0));
  EXPECT_EQ(metrics_.peers, 0);
  EXPECT_THAT(log_.Everything(), HasSubstr("status=not_allowed"));
}

TEST_F(AcceptTest, StoppedAcceptorLeavesCallersInTheQueue) {
  Start();
  acceptor_->Stop();
  const UniqueFd client = socket_.Connect();
  RunFor(*loop_, milliseconds(10));
  EXPECT_FALSE(IsClosed(client));
  EXPECT_THAT(connections_, SizeIs(0));
}

TEST_F(AcceptTest, ReconnectingInALoopDoesNotFillTheLog) {
  Start();
  for (int i = 0; i < 100; ++i) {
    const UniqueFd client = socket_.Connect();
    RunUntil(*loop_, [&] { return metrics_.accepted == i + 1; });
  }
  EXPECT_LT(log_.Records().size(), 5U * Acceptor::kMaxRecordsPerSecond);
  EXPECT_GE(log_.Records().size(), static_cast<std::size_t>(Acceptor::kMaxRecordsPerSecond));
}

TEST_F(AcceptTest, OutOfDescriptorsAnswersByClosing) {
  Start();
  const UniqueFd client = socket_.Connect();
  const UniqueFd reserve(::fcntl(client.get(), F_DUPFD_CLOEXEC, 0));
  std::vector<UniqueFd> hoard;
  rlimit old{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &old), 0);
  const rlimit low{256, old.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  for (;;) {
    UniqueFd more(::fcntl(client.get(), F_DUPFD_CLOEXEC, 0));
    if (!more.valid()) {
      break;
    }
    hoard.push_back(std::move(more));
  }
  EXPECT_TRUE(RunUntil(*loop_, [&] { return IsClosed(client); }));
  EXPECT_THAT(connections_, SizeIs(0));
  hoard.clear();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &old), 0);
  const UniqueFd later = socket_.Connect();
  EXPECT_TRUE(AwaitConnections(1));
}

TEST(PeerPolicyTest, EmptyPolicyAllowsEverybody) {
  EXPECT_TRUE(PeerPolicy().Allows({1000, 1000, {}}));
}

TEST(PeerPolicyTest, OneMatchIsEnough) {
  const PeerPolicy policy{{0}, {10, 20}};
  EXPECT_TRUE(policy.Allows({0, 5, {}}));
  EXPECT_TRUE(policy.Allows({1, 20, {}}));
  EXPECT_TRUE(policy.Allows({1, 5, {7, 10}}));
  EXPECT_FALSE(policy.Allows({1, 5, {7, 11}}));
  EXPECT_FALSE((PeerPolicy{{0}, {}}.Allows({10, 0, {0}})));
}

}  // namespace
}  // namespace baokms::supervisor
