#include "supervisor/kms/second_opinions.h"

#include <chrono>
#include <cstdint>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/supervisor/kms/fakes.h"

namespace baokms::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SecondOpinionsTest : public ::testing::Test {
 protected:
  // The worker of slot 1 is asked, and answers or does not within two seconds. Some time passes.
  void Ask(bool gives_one) {
    const BootTime asked = now_ += SecondOpinions::kBetweenMissing;
    now_ += seconds(2);
    opinions_.OnAsked({.slot = 1, .number = number_}, gives_one, asked, now_);
  }

  FakeWorld world_;
  std::uint64_t number_ = 10;
  BootTime now_{seconds(1000)};
  SecondOpinions opinions_{world_.workers, world_.observers, 2};
};

TEST_F(SecondOpinionsTest, WorkerThatOwesThreeInARowIsReplaced) {
  Ask(false);
  Ask(false);
  EXPECT_THAT(world_.workers.replaced, IsEmpty());
  Ask(false);
  EXPECT_THAT(world_.workers.replaced, ElementsAre(1U));
  EXPECT_THAT(world_.log.Everything(), HasSubstr("kms.opinions_missing"));
}

TEST_F(SecondOpinionsTest, SixteenThatAreGivenMakeUpForOne) {
  Ask(false);
  Ask(false);
  for (std::uint32_t i = 0; i < SecondOpinions::kGivenForMissing; ++i) {
    Ask(true);
  }
  Ask(false);
  EXPECT_THAT(world_.workers.replaced, IsEmpty());
}

TEST_F(SecondOpinionsTest, WorkerThatGivesOneNowAndThenIsReplaced) {
  for (const bool gives : {false, true, false, true, true, false}) {
    EXPECT_THAT(world_.workers.replaced, IsEmpty());
    Ask(gives);
  }
  EXPECT_THAT(world_.workers.replaced, ElementsAre(1U));
}

TEST_F(SecondOpinionsTest, MissingOnesAreForgotten) {
  for (int i = 0; i < 5; ++i) {
    Ask(false);
    now_ += SecondOpinions::kForgotten;
  }
  EXPECT_THAT(world_.workers.replaced, IsEmpty());
}

TEST_F(SecondOpinionsTest, NewProcessOwesNothing) {
  Ask(false);
  Ask(false);
  number_ = 20;
  Ask(false);
  EXPECT_THAT(world_.workers.replaced, IsEmpty());
}

// What an outage interrupts was asked before, or at once after it.
TEST_F(SecondOpinionsTest, ThoseThatAreMissedTogetherCountAsOne) {
  for (int i = 0; i < 20; ++i) {
    opinions_.OnAsked({.slot = 1, .number = 10}, false, now_ + milliseconds(i), now_ + seconds(2));
  }
  EXPECT_THAT(world_.workers.replaced, IsEmpty());
}

TEST_F(SecondOpinionsTest, OneReplacementAMinute) {
  for (int i = 0; i < 3; ++i) {
    Ask(false);
  }
  EXPECT_FALSE(opinions_.OnEncryptContradiction({.slot = 0, .number = 10}, {}, now_));
  EXPECT_THAT(world_.workers.replaced, ElementsAre(1U));
  now_ += std::chrono::minutes(1);
  EXPECT_TRUE(opinions_.OnEncryptContradiction({.slot = 0, .number = 10}, {}, now_));
  EXPECT_THAT(world_.workers.replaced, ElementsAre(1U, 0U));
  EXPECT_EQ(world_.metrics.encrypt_mismatches, 2);
}

TEST_F(SecondOpinionsTest, NobodyOwesWhatNobodyWasAskedFor) {
  number_ = 0;
  for (int i = 0; i < 5; ++i) {
    Ask(false);
  }
  EXPECT_THAT(world_.workers.replaced, IsEmpty());
}

}  // namespace
}  // namespace baokms::supervisor
