#include "supervisor/kms/accept.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "supervisor/kms/flood_watch.h"
#include "tests/supervisor/kms/fakes.h"
#include "tests/supervisor/kms/test_socket.h"
#include "tests/supervisor/workers/run_loop.h"

namespace baokms::supervisor {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Whether the other side closed the connection; a reset counts, because what the client said was
// not read.
bool IsClosed(const UniqueFd& client) {
  pollfd poll{client.get(), POLLIN, 0};
  char byte = 0;
  return ::poll(&poll, 1, 0) == 1 && ::read(client.get(), &byte, 1) <= 0;
}

class AcceptTest : public ::testing::Test {
 protected:
  void Start(PeerPolicy policy = {}) {
    acceptor_ = Acceptor::Create(*loop_, socket_.listener(), std::move(policy), observers_,
                                 [this](UniqueFd connection) {
                                   connections_.push_back(std::move(connection));
                                   calls_.push_back(std::make_shared<CallCounts>());
                                   return calls_.back();
                                 })
                    .value();
  }

  // Clients that have completed the handshake.
  std::vector<UniqueFd> Greet(std::size_t count) {
    std::vector<UniqueFd> clients;
    const std::size_t before = connections_.size();
    for (std::size_t i = 0; i < count; ++i) {
      clients.push_back(socket_.Greet());
    }
    EXPECT_TRUE(AwaitConnections(before + count));
    return clients;
  }

  bool AwaitConnections(std::size_t count) {
    return RunUntil(*loop_, [&] { return connections_.size() >= count; });
  }

  // As gRPC does.
  void ReadGreeting(std::size_t connection) {
    std::string greeting(kGreeting.size(), '\0');
    EXPECT_GT(::read(connections_[connection].get(), greeting.data(), greeting.size()), 0);
  }

  TestSocket socket_;
  std::unique_ptr<EventLoop> loop_ = EventLoop::Create().value();
  FakeMetrics metrics_;
  FakeLog log_;
  Observers observers_{metrics_, log_};
  std::vector<UniqueFd> connections_;
  std::vector<CallCountsPtr> calls_;  // parallel to connections_
  std::unique_ptr<Acceptor> acceptor_;
};

TEST_F(AcceptTest, HandsOverConnectionsAndSaysWhoseTheyAre) {
  Start();
  const UniqueFd first = socket_.Greet();
  const UniqueFd second = socket_.Greet();
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
  UniqueFd first = socket_.Greet();
  UniqueFd second = socket_.Greet();
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

TEST_F(AcceptTest, ASilentCrowdMakesRoomForTheNext) {
  Start();
  std::vector<UniqueFd> crowd;
  for (int i = 0; i < 200; ++i) {
    crowd.push_back(socket_.Connect());
    ASSERT_TRUE(RunUntil(*loop_, [&] { return metrics_.accepted == i + 1; }));
  }
  const UniqueFd client = socket_.Greet();
  ASSERT_TRUE(AwaitConnections(1));
  EXPECT_EQ(acceptor_->connections(), kMaxConnectionsPerUid);
  EXPECT_TRUE(IsClosed(crowd.front()));
  EXPECT_FALSE(IsClosed(crowd.back()));
  EXPECT_EQ(metrics_.peers, static_cast<int>(kMaxConnectionsPerUid));
  EXPECT_THAT(log_.Everything(), HasSubstr("status=evicted"));
}

TEST_F(AcceptTest, TheOldestWithoutACompletedCallLeaves) {
  Start();
  const std::vector<UniqueFd> clients = Greet(kMaxConnectionsPerUid);
  calls_[0]->completed = 1;
  calls_[2]->completed = 1;
  const std::vector<UniqueFd> more = Greet(2);
  EXPECT_FALSE(IsClosed(clients[0]));
  EXPECT_TRUE(IsClosed(clients[1])) << "on gRPC's side too";
  EXPECT_FALSE(IsClosed(clients[2]));
  EXPECT_TRUE(IsClosed(clients[3]));
  EXPECT_FALSE(IsClosed(clients[4]));
  EXPECT_EQ(acceptor_->connections(), kMaxConnectionsPerUid);
}

TEST_F(AcceptTest, TurnsAwayTheOneThatIsTooManyWhenAllHaveCompletedACall) {
  Start();
  std::vector<UniqueFd> clients = Greet(kMaxConnectionsPerUid);
  for (const auto& calls : calls_) {
    calls->completed = 1;
  }
  const UniqueFd extra = socket_.Greet();
  ASSERT_TRUE(RunUntil(*loop_, [&] { return IsClosed(extra); }));
  EXPECT_EQ(connections_.size(), kMaxConnectionsPerUid);

  clients.pop_back();
  ASSERT_TRUE(RunUntil(*loop_, [&] { return acceptor_->connections() < kMaxConnectionsPerUid; }));
  EXPECT_THAT(Greet(1), SizeIs(1));
}

// What a client leaves unread in a socket when it cancels each call at once.
const std::string kUnread(kFloodBytes, 'x');

TEST_F(AcceptTest, AFloodEndsAndTheProcessWaitsForTheNextConnection) {
  Start();
  const std::vector<UniqueFd> clients = Greet(2);
  calls_[1]->completed = 1;
  TestSocket::Say(clients[0], kUnread);
  TestSocket::Say(clients[1], kUnread);
  ASSERT_TRUE(RunUntil(*loop_, [&] { return IsClosed(clients[0]); }));
  EXPECT_FALSE(IsClosed(clients[1])) << "has more time";
  EXPECT_THAT(log_.Everything(), HasSubstr("status=flood"));
  const BootTime began = BootNow();
  EXPECT_THAT(Greet(1), SizeIs(1));
  EXPECT_GE(BootNow() - began, FloodPenalties::kFirst / 2);
}

TEST_F(AcceptTest, NoFloodIsOneThatIsServed) {
  Start();
  const std::vector<UniqueFd> clients = Greet(3);
  TestSocket::Say(clients[0], kUnread);
  TestSocket::Say(clients[1], kUnread.substr(kGreeting.size() + 1));
  const BootTime end = BootNow() + 3 * kFloodLook;
  RunUntil(*loop_, [&] {
    ++calls_[0]->completed;
    return BootNow() >= end;
  });
  EXPECT_EQ(acceptor_->connections(), 3U);
}

TEST_F(AcceptTest, NothingOfAFloodIsLeftForGrpc) {
  Start();
  const std::vector<UniqueFd> clients = Greet(1);
  TestSocket::Say(clients[0], kUnread + kUnread);
  ASSERT_TRUE(RunUntil(*loop_, [&] { return acceptor_->connections() == 0; }));
  char byte = 0;
  EXPECT_EQ(::read(connections_[0].get(), &byte, 1), 0);
}

TEST_F(AcceptTest, AFloodThatLeavesAtOnceIsOne) {
  Start();
  std::vector<UniqueFd> clients = Greet(1);
  TestSocket::Say(clients[0], kUnread);
  clients.clear();
  ASSERT_TRUE(RunUntil(*loop_, [&] { return acceptor_->connections() == 0; }));
  EXPECT_THAT(log_.Everything(), HasSubstr("status=flood"));
  const BootTime began = BootNow();
  EXPECT_THAT(Greet(1), SizeIs(1));
  EXPECT_GE(BootNow() - began, FloodPenalties::kFirst / 2);
}

TEST_F(AcceptTest, WhoSendsAndReadsNoAnswersEnds) {
  Start();
  const std::vector<UniqueFd> clients = Greet(3);
  const std::string answers(4096, 'x');
  for (const std::size_t i : {0U, 1U}) {
    while (::send(connections_[i].get(), answers.data(), answers.size(), MSG_NOSIGNAL) > 0) {
    }
  }
  ReadGreeting(1);
  calls_[2]->in_progress = kFloodCalls;
  ASSERT_TRUE(RunUntil(*loop_, [&] { return acceptor_->connections() == 1; }));
  RunFor(*loop_, 2 * kFloodLook);
  EXPECT_EQ(::send(clients[1].get(), "x", 1, MSG_NOSIGNAL), 1) << "it reads late and sends nothing";
}

#ifndef __SANITIZE_ADDRESS__  // which has an allocator of its own
TEST_F(AcceptTest, WhoCompletesNoCallEndsWhenTheHeapIsFull) {
  Start();
  const std::vector<UniqueFd> clients = Greet(3);
  calls_[1]->completed = 1;
  calls_[2]->completed = 1;
  ReadGreeting(1);
  const auto full = std::make_unique<std::vector<char>>(kMaxHeap, 'x');
  ASSERT_TRUE(RunUntil(*loop_, [&] { return IsClosed(clients[0]); }));
  EXPECT_THAT(log_.Everything(), HasSubstr("status=out_of_memory"));
  EXPECT_FALSE(IsClosed(clients[1]));
  ASSERT_TRUE(RunUntil(*loop_, [&] {
    ++calls_[2]->completed;
    return IsClosed(clients[1]);
  }));
  EXPECT_FALSE(IsClosed(clients[2])) << "it completes calls";
}

TEST_F(AcceptTest, WhoLeavesMuchUnreadEndsSoonerWhenTheHeapIsFull) {
  Start();
  const std::vector<UniqueFd> clients = Greet(1);
  calls_[0]->completed = 1;
  TestSocket::Say(clients[0], kUnread);
  const auto full = std::make_unique<std::vector<char>>(kMaxHeap, 'x');
  const BootTime began = BootNow();
  ASSERT_TRUE(RunUntil(*loop_, [&] { return IsClosed(clients[0]); }));
  EXPECT_LT(BootNow() - began, kFloodLooksAfterCalls * kFloodLookAgain);
}
#endif

TEST_F(AcceptTest, HandsOverOnlyAfterTheHandshakeThatComesByteByByte) {
  Start();
  const UniqueFd client = socket_.Connect();
  for (const char& byte : kGreeting) {
    RunFor(*loop_, milliseconds(1));
    ASSERT_THAT(connections_, SizeIs(0));
    TestSocket::Say(client, {&byte, 1});
  }
  ASSERT_TRUE(AwaitConnections(1));
  std::string seen(kGreeting.size(), '\0');
  EXPECT_EQ(::read(connections_[0].get(), seen.data(), seen.size()),
            static_cast<ssize_t>(kGreeting.size()));
  EXPECT_EQ(seen, kGreeting) << "all of it is still there for gRPC";
}

TEST_F(AcceptTest, TimeForTheHandshakeIsLimited) {
  Start();
  const int before = CountDescriptors();
  const UniqueFd silent = socket_.Connect();
  const UniqueFd half = socket_.Connect();
  TestSocket::Say(half, kGreeting.substr(0, 30));
  const std::vector<UniqueFd> complete = Greet(1);
  ASSERT_TRUE(RunUntil(*loop_, [&] { return acceptor_->connections() == 3; }));
  RunFor(*loop_, Acceptor::kHandshakeTime / 2);
  EXPECT_FALSE(IsClosed(silent));
  RunFor(*loop_, Acceptor::kHandshakeTime / 2 + milliseconds(200));
  EXPECT_TRUE(IsClosed(silent));
  EXPECT_TRUE(IsClosed(half));
  EXPECT_FALSE(IsClosed(complete[0]));
  EXPECT_EQ(acceptor_->connections(), 1U);
  EXPECT_EQ(CountDescriptors(), before + 5) << "three clients, and the connection twice";
  EXPECT_THAT(log_.Everything(), HasSubstr("status=no_handshake"));
}

TEST_F(AcceptTest, ClosesAConnectionThatIsNotHttp2) {
  Start();
  const UniqueFd client = socket_.Connect();
  TestSocket::Say(client, "GET / HTTP/1.1\r\n\r\n");
  EXPECT_TRUE(RunUntil(*loop_, [&] { return IsClosed(client); }));
  EXPECT_THAT(connections_, SizeIs(0));
}

TEST_F(AcceptTest, ClosesAConnectionThatIsNotTaken) {
  acceptor_ = Acceptor::Create(*loop_, socket_.listener(), {}, observers_, [](const UniqueFd&) {
                return nullptr;
              }).value();
  const UniqueFd client = socket_.Greet();
  EXPECT_TRUE(RunUntil(*loop_, [&] { return IsClosed(client); }));
  EXPECT_EQ(acceptor_->connections(), 0U);
}

TEST_F(AcceptTest, AdmitsListedUids) {
  Start({.uids = {::getuid()}, .gids = {}});
  const UniqueFd client = socket_.Greet();
  EXPECT_TRUE(AwaitConnections(1));
}

TEST_F(AcceptTest, AdmitsListedGroups) {
  Start({.uids = {::getuid() + 1}, .gids = {::getgid()}});
  const UniqueFd client = socket_.Greet();
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
    const UniqueFd client = socket_.Greet();
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
  const UniqueFd later = socket_.Greet();
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
