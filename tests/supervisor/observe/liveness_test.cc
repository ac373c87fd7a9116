#include "supervisor/observe/liveness.h"

#include <chrono>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace baokms::supervisor {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Liveness::Clock::time_point kStart{seconds(1000)};

TEST(LivenessTest, NamesEachThreadThatIsSilentForTooLong) {
  Liveness liveness(kStart);
  EXPECT_THAT(liveness.Stuck(kStart + Liveness::kMaxSilence), IsEmpty());
  const auto late = kStart + Liveness::kMaxSilence + seconds(1);
  EXPECT_THAT(liveness.Stuck(late), ElementsAre("event_loop", "kms_queue"));
  liveness.Beat(ServingThread::kEventLoop, late);
  EXPECT_THAT(liveness.Stuck(late), ElementsAre("kms_queue"));
  liveness.Beat(ServingThread::kKmsQueue, late);
  EXPECT_THAT(liveness.Stuck(late), IsEmpty());
}

TEST(LivenessTest, BelievesAThreadThatTurnsAgain) {
  Liveness liveness(kStart);
  const auto late = kStart + 2 * Liveness::kMaxSilence;
  liveness.Beat(ServingThread::kKmsQueue, late);
  EXPECT_THAT(liveness.Stuck(late), ElementsAre("event_loop"));
  liveness.Beat(ServingThread::kEventLoop, late);
  EXPECT_THAT(liveness.Stuck(late + Liveness::kInterval), IsEmpty());
}

}  // namespace
}  // namespace baokms::supervisor
