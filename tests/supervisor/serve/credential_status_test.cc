#include "supervisor/serve/credential_status.h"

#include <gtest/gtest.h>

#include "proto/ipc.pb.h"

namespace baokms::supervisor {
namespace {

TEST(CredentialStatusTest, KnowsNothingBeforeTheAgentSpoke) {
  const CredentialFacts facts = CredentialStatus().Read(1000);
  EXPECT_EQ(facts.status, "");
  EXPECT_FALSE(facts.ends);
  EXPECT_FALSE(facts.due);
}

TEST(CredentialStatusTest, TellsWhatIsLeftAtTheMomentItIsAsked) {
  CredentialStatus book;
  ipc::AgentStatus status;
  status.set_status("auth_failed");
  status.set_credential_status("ok");
  status.set_credential_ends_unix(1100);
  status.set_credential_due_unix(1050);
  book.Note(status);
  EXPECT_EQ(book.Read(1000).status, "ok") << "of the credential, not of the login";
  EXPECT_TRUE(book.Read(1000).ends);
  EXPECT_EQ(book.Read(1000).ends_in_s, 100);
  EXPECT_FALSE(book.Read(1049).due);
  EXPECT_TRUE(book.Read(1050).due);
  EXPECT_EQ(book.Read(1200).ends_in_s, -100);
}

TEST(CredentialStatusTest, TakesNoWordThatItDoesNotKnow) {
  CredentialStatus book;
  ipc::AgentStatus status;
  status.set_credential_status("oauth2_rejected");
  book.Note(status);
  EXPECT_EQ(book.Read(0).status, "oauth2_rejected");
  status.set_credential_status("made_up_1");
  book.Note(status);
  EXPECT_EQ(book.Read(0).status, "error");
}

}  // namespace
}  // namespace baokms::supervisor
