#include "common/base/event_loop.h"

#include <sys/epoll.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "common/base/unique_fd.h"

namespace baokms {
namespace {

using std::chrono::milliseconds;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Pipe MakePipe() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void Put(const Pipe& pipe) {
  EXPECT_EQ(::write(pipe.write.get(), "x", 1), 1);
}

class EventLoopTest : public ::testing::Test {
 protected:
  // Runs until Stop(); a test that forgets to stop ends after five seconds and fails.
  void Run() {
    const auto limit = loop_->After(std::chrono::seconds(5), [this] {
      ADD_FAILURE() << "nothing stopped the loop";
      loop_->Stop();
    });
    EXPECT_TRUE(loop_->Run());
    loop_->Cancel(limit);
  }

  std::unique_ptr<EventLoop> loop_ = EventLoop::Create().value();
};

TEST_F(EventLoopTest, CallsBackWhenADescriptorIsReady) {
  const Pipe pipe = MakePipe();
  std::uint32_t seen = 0;
  ASSERT_TRUE(loop_->Watch(pipe.read.get(), EPOLLIN, [&](std::uint32_t events) {
    seen = events;
    loop_->Stop();
  }));
  Put(pipe);
  Run();
  EXPECT_EQ(seen, static_cast<std::uint32_t>(EPOLLIN));
  loop_->Unwatch(pipe.read.get());
}

TEST_F(EventLoopTest, RefusesToWatchTwice) {
  const Pipe pipe = MakePipe();
  ASSERT_TRUE(loop_->Watch(pipe.read.get(), EPOLLIN, [](std::uint32_t) {}));
  EXPECT_FALSE(loop_->Watch(pipe.read.get(), EPOLLIN, [](std::uint32_t) {}));
  loop_->Unwatch(pipe.read.get());
  EXPECT_FALSE(loop_->Modify(pipe.read.get(), EPOLLIN)) << "it is forgotten";
  loop_->Unwatch(pipe.read.get());
}

TEST_F(EventLoopTest, ModifyChangesWhatIsWaitedFor) {
  const Pipe pipe = MakePipe();
  bool called = false;
  ASSERT_TRUE(loop_->Watch(pipe.write.get(), EPOLLOUT, [&](std::uint32_t) { called = true; }));
  ASSERT_TRUE(loop_->Modify(pipe.write.get(), 0));
  loop_->After(milliseconds(5), [this] { loop_->Stop(); });
  Run();
  EXPECT_FALSE(called);
  loop_->Unwatch(pipe.write.get());
}

// Both are ready in one round; whoever comes first forgets the other.
TEST_F(EventLoopTest, UnwatchedDescriptorsAreNotCalledInTheSameRound) {
  const Pipe first = MakePipe();
  const Pipe second = MakePipe();
  int calls = 0;
  for (const Pipe* pipe : {&first, &second}) {
    ASSERT_TRUE(loop_->Watch(pipe->read.get(), EPOLLIN, [&](std::uint32_t) {
      ++calls;
      loop_->Unwatch(first.read.get());
      loop_->Unwatch(second.read.get());
      loop_->Stop();
    }));
    Put(*pipe);
  }
  Run();
  EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, ACallbackMayUnwatchItselfAndGoOn) {
  const Pipe pipe = MakePipe();
  const auto text = std::make_shared<std::string>("alive");
  std::string seen;
  ASSERT_TRUE(loop_->Watch(pipe.read.get(), EPOLLIN, [&, text](std::uint32_t) {
    loop_->Unwatch(pipe.read.get());
    seen = *text;
    loop_->Stop();
  }));
  Put(pipe);
  Run();
  EXPECT_EQ(seen, "alive");
}

TEST_F(EventLoopTest, RunsTimersInTheOrderOfTheirTimes) {
  std::vector<int> order;
  const BootTime now = BootNow();
  loop_->At(now + milliseconds(6), [&] {
    order.push_back(3);
    loop_->Stop();
  });
  loop_->At(now + milliseconds(3), [&] { order.push_back(1); });
  loop_->At(now + milliseconds(3), [&] { order.push_back(2); });
  Run();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  EXPECT_GE(BootNow() - now, milliseconds(6)) << "never early";
}

TEST_F(EventLoopTest, CancelledTimersDoNotRun) {
  bool ran = false;
  const auto timer = loop_->After(milliseconds(1), [&] { ran = true; });
  loop_->Cancel(timer);
  loop_->Cancel(timer);
  loop_->Cancel(0);
  loop_->After(milliseconds(4), [this] { loop_->Stop(); });
  Run();
  EXPECT_FALSE(ran);
}

TEST_F(EventLoopTest, ATimerMayCancelOneThatIsDueWithIt) {
  bool ran = false;
  EventLoop::TimerId second = 0;
  const BootTime now = BootNow();
  loop_->At(now, [&] { loop_->Cancel(second); });
  second = loop_->At(now, [&] { ran = true; });
  loop_->After(milliseconds(2), [this] { loop_->Stop(); });
  Run();
  EXPECT_FALSE(ran);
}

TEST_F(EventLoopTest, RunsTasksOfOtherThreadsOnItsOwn) {
  constexpr int kThreads = 4;
  constexpr int kTasks = 500;
  const std::thread::id own = std::this_thread::get_id();
  int ran = 0;  // touched by the loop's thread alone
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int task = 0; task < kTasks; ++task) {
        loop_->Post([&] {
          EXPECT_EQ(std::this_thread::get_id(), own);
          if (++ran == kThreads * kTasks) {
            loop_->Stop();
          }
        });
      }
    });
  }
  Run();
  EXPECT_EQ(ran, kThreads * kTasks);
}

TEST_F(EventLoopTest, StopBeforeRunEndsItAtOnceAndOnlyOnce) {
  loop_->Stop();
  Run();
  bool ran = false;
  loop_->Post([&] {
    ran = true;
    loop_->Stop();
  });
  Run();
  EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace baokms
