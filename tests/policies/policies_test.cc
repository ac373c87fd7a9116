// Each filter has the reviewed text, and does what docs/security.md says.

#include <ostream>
#include <string>

#include <gtest/gtest.h>

#include "tests/policies/all_policies.h"
#include "tests/policies/documented_filter.h"
#include "tests/policies/reviewed_text.h"

namespace baokms {

// For GoogleTest's messages.
void PrintTo(const NamedPolicy& policy, std::ostream* out) {
  *out << policy.name;
}

namespace {

class PolicyTest : public testing::TestWithParam<NamedPolicy> {};

std::string NameOf(const testing::TestParamInfo<NamedPolicy>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(All, PolicyTest, testing::ValuesIn(AllPolicies()), NameOf);

TEST_P(PolicyTest, TextIsTheReviewedOne) {
  ExpectReviewedText(GetParam());
}

TEST_P(PolicyTest, AllowsWhatIsDocumentedAndNothingElse) {
  for (const auto& [name, architecture] : TestedArchitectures()) {
    SCOPED_TRACE(name);
    ExpectDocumentedFilter(GetParam(), architecture);
  }
}

TEST_P(PolicyTest, MeansTheSameOnArm64) {
  ExpectSameOnArm64(GetParam());
}

TEST_P(PolicyTest, PassesTheFiltersThatAreInherited) {
  for (const auto& [name, architecture] : TestedArchitectures()) {
    SCOPED_TRACE(name);
    ExpectPassesSpawners(GetParam(), architecture);
  }
}

}  // namespace
}  // namespace baokms
