#include "common/contract/request_limits.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/contract/limits.h"

namespace baokms::contract {
namespace {

TEST(RequestLimitsTest, AcceptsExactlyUpToEachLimit) {
  const std::string text(1024, 'x');
  const std::string_view most = std::string_view(text).substr(1);
  const std::string value(kMaxAnnotationsBytes, 'x');
  const std::vector<AnnotationView> fitting{{"", value}};
  EXPECT_EQ(CheckSealedLimits(most, most, fitting), Verdict::kAccepted);
  EXPECT_EQ(CheckSealedLimits(text, most, fitting), Verdict::kLimit);
  EXPECT_EQ(CheckSealedLimits(most, text, fitting), Verdict::kLimit);
  const std::vector<AnnotationView> larger{{"a", value}};
  EXPECT_EQ(CheckSealedLimits(most, most, larger), Verdict::kLimit);
}

TEST(RequestLimitsTest, ReportsSizesBeforeBrokenAnnotations) {
  const std::string text(1024, 'x');
  const std::vector<AnnotationView> broken{{"a", "\xFF"}};
  EXPECT_EQ(CheckSealedLimits(text, "", broken), Verdict::kLimit);
  EXPECT_EQ(CheckSealedLimits("", text, broken), Verdict::kLimit);
  EXPECT_EQ(CheckSealedLimits("", "", broken), Verdict::kInvalid);
}

}  // namespace
}  // namespace baokms::contract
