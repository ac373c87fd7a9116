#include "supervisor/serve/credential_status.h"

#include <chrono>
#include <optional>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/clock.h"
#include "proto/ipc.pb.h"

namespace baokms::supervisor {
namespace {

TEST(CredentialStatusTest, KnowsNothingBeforeTheAgentSpoke) {
  const AuthFacts facts = CredentialStatus(AuthMethod::kJwt).Read({}, 1000);
  EXPECT_EQ(facts.credential, "");
  EXPECT_FALSE(facts.due);
  EXPECT_FALSE(facts.jwt_ends_in_s || facts.certificate_ends_in_s || facts.token_ends_in_s);
}

TEST(CredentialStatusTest, TellsWhatIsLeftAtTheMomentItIsAsked) {
  CredentialStatus credential(AuthMethod::kJwt);
  CredentialStatus certificate(AuthMethod::kCert);
  ipc::AgentStatus status;
  status.set_status("auth_failed");
  status.set_credential_status("ok");
  status.set_credential_ends_unix(1100);
  status.set_credential_due_unix(1050);
  credential.Note(status);
  certificate.Note(status);
  EXPECT_EQ(credential.Read({}, 1000).credential, "ok") << "of the credential, not of the login";
  EXPECT_EQ(credential.Read({}, 1000).jwt_ends_in_s, 100);
  EXPECT_EQ(credential.Read({}, 1000).certificate_ends_in_s, std::nullopt);
  EXPECT_EQ(certificate.Read({}, 1000).certificate_ends_in_s, 100);
  EXPECT_EQ(certificate.Read({}, 1000).jwt_ends_in_s, std::nullopt);
  EXPECT_FALSE(credential.Read({}, 1049).due);
  EXPECT_TRUE(credential.Read({}, 1050).due);
  EXPECT_EQ(credential.Read({}, 1200).jwt_ends_in_s, -100);
}

TEST(CredentialStatusTest, FindsTheUsableTokenThatExpiresFirst) {
  const BootTime now = BootNow();
  const auto expiring = [&](bool usable, BootTime left) {
    return WorkerState{.ready = true, .token_usable = usable, .token_expires = now + left};
  };
  const std::vector<WorkerState> workers = {expiring(true, std::chrono::minutes(60)),
                                            expiring(true, std::chrono::minutes(30)),
                                            expiring(false, std::chrono::minutes(1))};
  const auto left = CredentialStatus(AuthMethod::kJwt).Read(workers, 0).token_ends_in_s;
  ASSERT_TRUE(left.has_value());
  EXPECT_LE(*left, 1800);
  EXPECT_GT(*left, 1700);
}

TEST(CredentialStatusTest, TakesNoWordThatItDoesNotKnow) {
  CredentialStatus credential(AuthMethod::kJwt);
  ipc::AgentStatus status;
  status.set_credential_status("oauth2_rejected");
  credential.Note(status);
  EXPECT_EQ(credential.Read({}, 0).credential, "oauth2_rejected");
  status.set_credential_status("made_up_1");
  credential.Note(status);
  EXPECT_EQ(credential.Read({}, 0).credential, "error");
}

}  // namespace
}  // namespace baokms::supervisor
