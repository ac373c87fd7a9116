// The filter's text is the reviewed one, and does what docs/security.md says.

#include <optional>

#include <gtest/gtest.h>

#include "proto/setup.pb.h"
#include "supervisor/spawner/sandbox.h"
#include "tests/base/documented_filter.h"
#include "tests/base/golden_policy.h"

namespace baokms::supervisor {
namespace {

TEST(SpawnerPolicyTest, TextIsTheReviewedOne) {
  ExpectReviewedPolicy(BuildSpawnerPolicy(std::nullopt), "supervisor/spawner");
}

TEST(SpawnerPolicyTest, AllowsWhatIsDocumentedAndNothingElse) {
  ExpectDocumentedFilter([] { return BuildSpawnerPolicy(std::nullopt); },
                         ConfinedProcess::kSpawner);
}

TEST(SpawnerPolicyTest, TextsWithAModuleAreTheReviewedOnes) {
  ipc::ModuleAccess access;
  ExpectReviewedPolicy(BuildSpawnerPolicy(access), "supervisor/spawner/pkcs11");
  access.set_network(ipc::ModuleAccess::NETWORK_UNIX);
  ExpectReviewedPolicy(BuildSpawnerPolicy(access), "supervisor/spawner/pkcs11_unix");
  access.set_network(ipc::ModuleAccess::NETWORK_INET);
  access.set_state_directory("/state");
  ExpectReviewedPolicy(BuildSpawnerPolicy(access), "supervisor/spawner/pkcs11_inet_writing");
}

}  // namespace
}  // namespace baokms::supervisor
