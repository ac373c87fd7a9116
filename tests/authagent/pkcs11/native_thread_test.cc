// The thread of native calls and the key that is used through it.

#include "authagent/pkcs11/native_thread.h"

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "authagent/pkcs11/signing_key.h"
#include "common/base/clock.h"
#include "common/base/error.h"

namespace baokms::authagent {
namespace {

// Long enough for a machine that is busy; a test that passes does not wait for it.
constexpr BootTime kLong = std::chrono::seconds(60);
constexpr BootTime kShort = std::chrono::milliseconds(1);

TEST(NativeThreadTest, RunsTasksInOrderOnOneThreadThatIsNotTheCallers) {
  const auto thread = *NativeThread::Start();
  std::vector<std::thread::id> ids;
  for (int i = 0; i < 3; ++i) {
    thread->Post([&ids] { ids.push_back(std::this_thread::get_id()); });
  }
  ASSERT_TRUE(thread->RunAndWait([&ids] { ids.push_back(std::this_thread::get_id()); }, kLong));
  ASSERT_EQ(ids.size(), 4U);
  EXPECT_EQ(ids, std::vector(4, ids.front()));
  EXPECT_NE(ids.front(), std::this_thread::get_id());
}

TEST(NativeThreadTest, NoticesATaskThatHangs) {
  const auto thread = *NativeThread::Start();
  std::promise<void> release;
  const auto released = release.get_future().share();
  EXPECT_FALSE(thread->RunAndWait([released] { released.wait(); }, kShort));
  release.set_value();
  EXPECT_TRUE(thread->RunAndWait([] {}, kLong));
}

// Answers when it is told to.
class SlowKey final : public SigningKey {
 public:
  Result<std::vector<std::uint8_t>> Sign(const SignatureRequest& request) override {
    may_end_.wait();
    seen.assign(request.input.begin(), request.input.end());
    if (failure) {
      return *failure;
    }
    return std::vector<std::uint8_t>{1, 2, 3};
  }

  void Release() { release_.set_value(); }

  std::vector<std::uint8_t> seen;
  std::optional<Error> failure;

 private:
  std::promise<void> release_;
  std::shared_future<void> may_end_ = release_.get_future().share();
};

class ThreadedKeyTest : public testing::Test {
 protected:
  Result<std::vector<std::uint8_t>> Sign(BootTime limit) {
    ThreadedKey key(*thread, slow, limit, [this](const Error& error) { heard = error; });
    const std::vector<std::uint8_t> input{7, 8};
    SignatureRequest request;
    request.input = input;
    return key.Sign(request);
  }

  SlowKey slow;
  std::unique_ptr<NativeThread> thread = *NativeThread::Start();
  std::optional<Error> heard;
};

TEST_F(ThreadedKeyTest, HandsInputAndSignatureOver) {
  slow.Release();
  EXPECT_EQ(*Sign(kLong), (std::vector<std::uint8_t>{1, 2, 3}));
  EXPECT_EQ(slow.seen, (std::vector<std::uint8_t>{7, 8}));
  EXPECT_FALSE(heard);
}

TEST_F(ThreadedKeyTest, TellsOfAFailure) {
  slow.Release();
  slow.failure = Error(ErrorCode::kUnavailable, "C_Sign", 0x30);
  EXPECT_FALSE(Sign(kLong));
  ASSERT_TRUE(heard);
  EXPECT_EQ(heard->what(), "C_Sign");
}

TEST_F(ThreadedKeyTest, DoesNotWaitForAModuleThatHangs) {
  EXPECT_FALSE(Sign(kShort));
  ASSERT_TRUE(heard);
  EXPECT_EQ(heard->code(), ErrorCode::kDeadlineExceeded);
  slow.Release();
  // The input of the abandoned call is still there for it.
  ASSERT_TRUE(thread->RunAndWait([] {}, kLong));
  EXPECT_EQ(slow.seen, (std::vector<std::uint8_t>{7, 8}));
}

TEST_F(ThreadedKeyTest, IsNotNeededByACallThatBeginsTooLate) {
  std::promise<void> release;
  thread->Post([&] { release.get_future().wait(); });
  EXPECT_FALSE(Sign(kShort));  // the key is gone before its call begins
  slow.Release();
  release.set_value();
  ASSERT_TRUE(thread->RunAndWait([] {}, kLong));
  EXPECT_EQ(slow.seen, (std::vector<std::uint8_t>{7, 8}));
}

}  // namespace
}  // namespace baokms::authagent
