#include "supervisor/observe/label_names.h"

#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ipc/auth_status.h"

namespace baokms::supervisor {
namespace {

using testing::ElementsAre;

// Dashboards depend on these texts, which follow from the names in proto/ipc.proto.
TEST(LabelNamesTest, NamesEachOperation) {
  std::vector<std::string> labels;
  for (int number = 0; number <= ipc::OpenBaoOperation_MAX; ++number) {
    labels.push_back(OperationLabel(static_cast<ipc::OpenBaoOperation>(number)));
  }
  EXPECT_THAT(labels, ElementsAre("unknown", "jwt_login", "cert_login", "token_renew_self",
                                  "transit_metadata_read", "transit_disable_upsert_read",
                                  "transit_encrypt", "transit_decrypt", "capabilities_self"));
}

TEST(LabelNamesTest, AcceptsEachStatusWordOfTheAgentAndNoOther) {
  for (const std::string_view word : ipc::kAuthStatusWords) {
    EXPECT_EQ(AuthStatusLabel(word), word);
  }
  EXPECT_EQ(AuthStatusLabel(""), "");
  EXPECT_EQ(AuthStatusLabel("k8s-blue-etcd"), "error");
}

TEST(LabelNamesTest, NamesNoUnknownNumber) {
  EXPECT_EQ(OperationLabel(static_cast<ipc::OpenBaoOperation>(99)), "unknown");
  EXPECT_EQ(OutcomeLabel(static_cast<ipc::Outcome>(99)), "unknown");
}

}  // namespace
}  // namespace baokms::supervisor
