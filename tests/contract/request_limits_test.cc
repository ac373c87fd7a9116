#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/contract/annotations.h"
#include "common/contract/limits.h"

namespace baokms::contract {
namespace {

TEST(RequestLimitsTest, AcceptsExactlyUpToEachLimit) {
  const std::string text(1024, 'x');
  const std::string_view most = std::string_view(text).substr(1);
  const std::string value(kMaxAnnotationsBytes, 'x');
  const std::vector<AnnotationView> fitting{{"", value}};
  EXPECT_EQ(CheckSealedLimits(most, most, fitting), RequestVerdict::kAccepted);
  EXPECT_EQ(CheckSealedLimits(text, most, fitting), RequestVerdict::kLimit);
  EXPECT_EQ(CheckSealedLimits(most, text, fitting), RequestVerdict::kLimit);
  const std::vector<AnnotationView> larger{{"a", value}};
  EXPECT_EQ(CheckSealedLimits(most, most, larger), RequestVerdict::kLimit);
}

TEST(RequestLimitsTest, ReportsSizesBeforeBrokenAnnotations) {
  const std::string text(1024, 'x');
  const std::vector<AnnotationView> broken{{"a", "\xFF"}};
  EXPECT_EQ(CheckSealedLimits(text, "", broken), RequestVerdict::kLimit);
  EXPECT_EQ(CheckSealedLimits("", text, broken), RequestVerdict::kLimit);
  EXPECT_EQ(CheckSealedLimits("", "", broken), RequestVerdict::kInvalid);
}

}  // namespace
}  // namespace baokms::contract
