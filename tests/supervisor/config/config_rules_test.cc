// One good and several bad values for every key.

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "supervisor/config/schema_table.h"
#include "tests/supervisor/config/config_texts.h"
#include "tests/supervisor/config/value_rows.h"

namespace baokms::supervisor {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST(RulesTest, AcceptsEveryGoodValue) {
  for (const ValueRow& row : AllRows()) {
    for (const std::string& value : row.good) {
      EXPECT_THAT(ProblemsOf(With(BaseKeys(row.base), row.key, value)), IsEmpty())
          << row.key << ": " << value;
    }
  }
}

TEST(RulesTest, RefusesEveryBadValueAtItsKey) {
  for (const ValueRow& row : AllRows()) {
    // "openbao.namespace" is not required, so an empty value is fine there.
    for (const std::string& value : row.bad) {
      SCOPED_TRACE(row.key + ": " + value);
      const auto problems = ProblemsOf(With(BaseKeys(row.base), row.key, value));
      ASSERT_FALSE(problems.empty());
      EXPECT_THAT(problems[0], HasSubstr(std::string(": ").append(row.key)));
      EXPECT_THAT(problems[0], HasSubstr(row.message));
    }
  }
}

TEST(RulesTest, HasARowForEveryKeyButThoseOfSpiffe) {
  std::set<std::string, std::less<>> tested;
  for (const ValueRow& row : AllRows()) {
    EXPECT_TRUE(tested.insert(row.key).second) << row.key;
  }
  for (const SchemaRow& row : SchemaTable()) {
    EXPECT_TRUE(tested.contains(row.key) || row.key.starts_with("auth.cert.spiffe.")) << row.key;
  }
}

TEST(RulesTest, AsksForEveryRequiredKey) {
  const std::set<std::string, std::less<>> has_default{"auth.method"};
  for (const Base base : {Base::kJwt, Base::kOAuth2, Base::kCert}) {
    for (const auto& [key, value] : BaseKeys(base)) {
      // Without these the file is of another kind, or says it in words of its own.
      if (has_default.contains(key) || key == "configVersion" || key == "auth.jwt.source") {
        continue;
      }
      const auto problems = ProblemsOf(Without(BaseKeys(base), key));
      ASSERT_EQ(problems.size(), 1U) << key;
      EXPECT_THAT(problems[0], HasSubstr(key + ": ")) << key;
    }
  }
}

TEST(RulesTest, LeavesTheOtherMethodAlone) {
  EXPECT_THAT(ProblemsOf(With(JwtKeys(), "auth.cert.mountPath", "/bad/")), IsEmpty());
  EXPECT_THAT(ProblemsOf(With(CertKeys(), "auth.jwt.jwtFile", "relative")), IsEmpty());
}

}  // namespace
}  // namespace baokms::supervisor
