#include "common/base/result.h"

#include <cerrno>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

#include "common/base/error.h"

namespace baokms {
namespace {

// No run-time text may become part of an error: it could be a key byte or a peer's words.
static_assert(!std::is_constructible_v<Error, ErrorCode, std::string>);
static_assert(!std::is_convertible_v<Result<int>, bool>);

Result<int> Half(int number) {
  if (number % 2 != 0) {
    return Error(ErrorCode::kInvalidArgument, "odd");
  }
  return number / 2;
}

Result<int> Quarter(int number) {
  const int half = BAOKMS_TRY(Half(number));
  return Half(half);
}

Status CheckQuarter(int number) {
  (void)BAOKMS_TRY(Quarter(number));
  return {};
}

TEST(ResultTest, HoldsAValue) {
  const Result<int> half = Half(6);
  ASSERT_TRUE(half.has_value());
  EXPECT_EQ(*half, 3);
  EXPECT_EQ(half.value(), 3);
}

TEST(ResultTest, HoldsAnError) {
  const Result<int> half = Half(7);
  ASSERT_FALSE(half);
  EXPECT_EQ(half.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(half.error().what(), "odd");
}

TEST(ResultTest, TryGivesTheValueOrReturnsTheError) {
  EXPECT_EQ(Quarter(8).value(), 2);
  EXPECT_EQ(Quarter(6).error().what(), "odd");
  EXPECT_TRUE(CheckQuarter(8));
  EXPECT_EQ(CheckQuarter(7).error().what(), "odd");
}

TEST(ResultTest, TryMovesWhatCannotBeCopied) {
  const auto make = []() -> Result<std::unique_ptr<int>> {
    return std::make_unique<int>(4);
  };
  const auto use = [&]() -> Result<int> {
    const std::unique_ptr<int> number = BAOKMS_TRY(make());
    return *number;
  };
  EXPECT_EQ(use().value(), 4);
}

TEST(ResultTest, ErrorTextNamesCodeReasonAndPlace) {
  const Error error(ErrorCode::kSystem, "open", EACCES, "common/base/file.cc", 12);
  EXPECT_EQ(error.ToString(), "system: open: Permission denied (file.cc:12)");
  const Error plain(ErrorCode::kNotFound, "nothing", 0, "file.cc", 3);
  EXPECT_EQ(plain.ToString(), "not-found: nothing (file.cc:3)");
}

TEST(ResultDeathTest, AbortsWhenTheWrongSideIsRead) {
  EXPECT_DEATH((void)Half(7).value(), "");
  EXPECT_DEATH((void)Half(6).error(), "");
  EXPECT_DEATH(CheckQuarter(7).value(), "");
  EXPECT_DEATH((void)CheckQuarter(8).error(), "");
}

}  // namespace
}  // namespace baokms
