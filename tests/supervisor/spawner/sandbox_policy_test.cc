// The filter's text is the reviewed one, and does what docs/security.md says.

#include <gtest/gtest.h>

#include "proto/setup.pb.h"
#include "supervisor/spawner/sandbox.h"
#include "tests/base/documented_filter.h"
#include "tests/base/golden_policy.h"

namespace baokms::supervisor {
namespace {

TEST(SpawnerPolicyTest, TextIsTheReviewedOne) {
  ExpectReviewedPolicy(BuildSpawnerPolicy({}), "supervisor/spawner");
}

TEST(SpawnerPolicyTest, AllowsWhatIsDocumentedAndNothingElse) {
  ExpectDocumentedFilter([] { return BuildSpawnerPolicy({}); }, ConfinedProcess::kSpawner);
}

TEST(SpawnerPolicyTest, TextsWithAModuleAreTheReviewedOnes) {
  ipc::SpawnerSetup setup;
  ipc::ModuleAccess& access = *setup.mutable_module();
  ExpectReviewedPolicy(BuildSpawnerPolicy(setup), "supervisor/spawner/pkcs11");
  access.set_network(ipc::ModuleAccess::NETWORK_UNIX);
  ExpectReviewedPolicy(BuildSpawnerPolicy(setup), "supervisor/spawner/pkcs11_unix");
  access.set_network(ipc::ModuleAccess::NETWORK_INET);
  access.set_state_directory("/state");
  ExpectReviewedPolicy(BuildSpawnerPolicy(setup), "supervisor/spawner/pkcs11_inet_writing");
}

// Two workers that share a user, and an agent.
ipc::SpawnerSetup WithUsers() {
  ipc::SpawnerSetup setup;
  for (int slot = 0; slot < 2; ++slot) {
    ipc::UserSetup* worker = setup.mutable_users()->add_workers();
    worker->set_uid(1001);
    worker->set_gid(2001);
  }
  setup.mutable_users()->mutable_agent()->set_uid(1002);
  setup.mutable_users()->mutable_agent()->set_gid(2002);
  return setup;
}

TEST(SpawnerPolicyTest, TextWithSeparateUsersIsTheReviewedOne) {
  ExpectReviewedPolicy(BuildSpawnerPolicy(WithUsers()), "supervisor/spawner/separate_users");
}

}  // namespace
}  // namespace baokms::supervisor
