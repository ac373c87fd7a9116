// The filter's text is the reviewed one.

#include <gtest/gtest.h>

#include "authagent/sandbox.h"
#include "proto/setup.pb.h"
#include "tests/base/golden_policy.h"

namespace baokms::authagent {
namespace {

TEST(AgentPolicyTest, TextIsTheReviewedOne) {
  ExpectReviewedPolicy(BuildPolicy(), "authagent");
}

ipc::ModuleAccess Access(ipc::ModuleAccess::Network network, bool writes_files) {
  ipc::ModuleAccess access;
  access.set_network(network);
  access.set_writes_files(writes_files);
  return access;
}

TEST(ModulePolicyTest, TextsAreTheReviewedOnes) {
  const ipc::ModuleAccess least = Access(ipc::ModuleAccess::NETWORK_NONE, false);
  ExpectReviewedPolicy(BuildModulePolicy(least, ModuleStage::kLoading), "authagent/pkcs11/loading");
  ExpectReviewedPolicy(BuildModulePolicy(least, ModuleStage::kServing), "authagent/pkcs11/serving");
  ExpectReviewedPolicy(
      BuildModulePolicy(Access(ipc::ModuleAccess::NETWORK_UNIX, false), ModuleStage::kServing),
      "authagent/pkcs11/serving_unix");
  ExpectReviewedPolicy(
      BuildModulePolicy(Access(ipc::ModuleAccess::NETWORK_INET, true), ModuleStage::kServing),
      "authagent/pkcs11/serving_inet_writing");
}

}  // namespace
}  // namespace baokms::authagent
