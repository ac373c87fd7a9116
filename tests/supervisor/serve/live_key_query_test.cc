#include "supervisor/serve/live_key_query.h"

#include <gtest/gtest.h>

#include "proto/ipc.pb.h"

namespace baokms::supervisor {
namespace {

std::string Describe(ipc::Outcome read, ipc::Outcome login, const char* status) {
  ipc::MetadataAnswer answer;
  answer.set_outcome(read);
  ipc::AgentStatus agent;
  agent.set_last_outcome(login);
  agent.set_status(status);
  return DescribeReadFailure(answer, agent);
}

TEST(LiveKeyQueryTest, NamesTheCauseOfAFailedLogin) {
  EXPECT_EQ(Describe(ipc::OUTCOME_AUTH_FAILED, ipc::OUTCOME_TIMEOUT, "error"),
            "read of the key's metadata failed: timeout (login: error)");
  for (const ipc::Outcome read : {ipc::OUTCOME_UNAVAILABLE, ipc::OUTCOME_LOGIN_TIMEOUT}) {
    EXPECT_EQ(Describe(read, ipc::OUTCOME_TIMEOUT, "error"),
              "read of the key's metadata failed: timeout (login: error)");
  }
  EXPECT_EQ(Describe(ipc::OUTCOME_AUTH_FAILED, ipc::OUTCOME_AUTH_FAILED, "jwt_expired"),
            "read of the key's metadata failed: auth_failed (login: jwt_expired)");
}

TEST(LiveKeyQueryTest, NamesTheReadsOwnCauseOtherwise) {
  EXPECT_EQ(Describe(ipc::OUTCOME_PERMISSION_DENIED, ipc::OUTCOME_TIMEOUT, "error"),
            "read of the key's metadata failed: permission_denied");
  EXPECT_EQ(Describe(ipc::OUTCOME_AUTH_FAILED, ipc::OUTCOME_OK, "ok"),
            "read of the key's metadata failed: auth_failed");
  EXPECT_EQ(Describe(ipc::OUTCOME_AUTH_FAILED, ipc::OUTCOME_UNSPECIFIED, ""),
            "read of the key's metadata failed: auth_failed");
}

}  // namespace
}  // namespace baokms::supervisor
