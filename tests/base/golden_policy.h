// Compares a filter with the text that was reviewed. The golden file is libseccomp's own text of
// the policy: a widened filter is a diff that nobody can overlook.

#pragma once

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "common/base/result.h"
#include "common/base/seccomp_policy.h"
#include "tests/base/test_data.h"

namespace baokms {

// `folder` is below tests/ and holds sandbox.x86_64.pfc.golden. With BAOKMS_REGENERATE set in the
// environment, the file is written instead.
inline void ExpectReviewedPolicy(const Result<SeccompPolicy>& policy, const std::string& folder) {
#ifndef __x86_64__
  GTEST_SKIP() << "there is a golden file for x86_64 only";
#endif
  ASSERT_TRUE(policy) << policy.error().ToString();
  const Result<std::string> text = policy->ToText();
  ASSERT_TRUE(text) << text.error().ToString();
  const std::string path = TestDataPath(folder + "/sandbox.x86_64.pfc.golden");
  if (std::getenv("BAOKMS_REGENERATE") != nullptr) {
    std::ofstream(path) << *text;
    return;
  }
  std::ostringstream golden;
  golden << std::ifstream(path).rdbuf();
  EXPECT_EQ(*text, golden.str())
      << "The filter changed. If that is meant, run this test with BAOKMS_REGENERATE=1, read the "
         "diff, and say why in docs/security.md in the same commit.";
}

}  // namespace baokms
