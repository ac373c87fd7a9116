// The filter's text is the reviewed one, and does what docs/security.md says.

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "authagent/sandbox.h"
#include "proto/setup.pb.h"
#include "tests/base/documented_filter.h"
#include "tests/base/golden_policy.h"

namespace baokms::authagent {
namespace {

TEST(AgentPolicyTest, TextIsTheReviewedOne) {
  ExpectReviewedPolicy(BuildPolicy(), "authagent");
}

TEST(AgentPolicyTest, AllowsWhatIsDocumentedAndNothingElse) {
  ExpectDocumentedFilter(BuildPolicy, ConfinedProcess::kAgent);
}

ipc::ModuleAccess Access(ipc::ModuleAccess::Network network, std::string_view state_directory) {
  ipc::ModuleAccess access;
  access.set_network(network);
  access.set_state_directory(std::string(state_directory));
  return access;
}

TEST(ModulePolicyTest, TextsAreTheReviewedOnes) {
  const ipc::ModuleAccess least = Access(ipc::ModuleAccess::NETWORK_NONE, "");
  ExpectReviewedPolicy(BuildModulePolicy(least, ModuleStage::kLoading), "authagent/pkcs11/loading");
  ExpectReviewedPolicy(BuildModulePolicy(least, ModuleStage::kServing), "authagent/pkcs11/serving");
  ExpectReviewedPolicy(
      BuildModulePolicy(Access(ipc::ModuleAccess::NETWORK_UNIX, ""), ModuleStage::kServing),
      "authagent/pkcs11/serving_unix");
  ExpectReviewedPolicy(
      BuildModulePolicy(Access(ipc::ModuleAccess::NETWORK_INET, "/state"), ModuleStage::kServing),
      "authagent/pkcs11/serving_inet_writing");
}

}  // namespace
}  // namespace baokms::authagent
