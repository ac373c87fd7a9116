// What failures do to Status, to the schedule and to the disk.

#include <algorithm>
#include <string>
#include <vector>

#include "key_status_fixture.h"

namespace baokms::supervisor {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;
using Health = StatusView::Health;

constexpr ipc::Outcome kTransport[] = {
    ipc::OUTCOME_CONNECTION_FAILED, ipc::OUTCOME_TLS_FAILED,   ipc::OUTCOME_DNS_FAILED,
    ipc::OUTCOME_TIMEOUT,           ipc::OUTCOME_SEALED,       ipc::OUTCOME_UNAVAILABLE,
    ipc::OUTCOME_RATE_LIMITED,      ipc::OUTCOME_LOGIN_TIMEOUT};

constexpr ipc::Outcome kDefinite[] = {ipc::OUTCOME_PERMISSION_DENIED, ipc::OUTCOME_NOT_FOUND,
                                      ipc::OUTCOME_UNAUTHENTICATED,   ipc::OUTCOME_AUTH_FAILED,
                                      ipc::OUTCOME_INVALID_REQUEST,   ipc::OUTCOME_UNDECODABLE,
                                      ipc::OUTCOME_UNKNOWN_STATUS};

class KeyStatusOutageTest : public KeyStatusTestBase {
 protected:
  // The times, in whole seconds from now, at which metadata is read during `duration`.
  std::vector<std::int64_t> ReadTimes(BootTime duration) {
    const std::size_t before = workers_.calls.size();
    const BootTime start = scheduler_.Now();
    scheduler_.Advance(duration);
    std::vector<std::int64_t> times;
    for (std::size_t i = before; i < workers_.calls.size(); ++i) {
      if (workers_.calls[i].operation == "metadata") {
        times.push_back(std::chrono::duration_cast<seconds>(workers_.calls[i].at - start).count());
      }
    }
    return times;
  }
};

class TransportFailureTest : public KeyStatusOutageTest,
                             public ::testing::WithParamInterface<ipc::Outcome> {};

TEST_P(TransportFailureTest, KeepsTheLastGoodStatusUntilItIsStale) {
  CreateAndStart();
  workers_.FailAll(GetParam());
  scheduler_.Advance(minutes(2));
  EXPECT_TRUE(Ready());
  EXPECT_NE(status_->Diagnose().metadata_error_class, "");
  scheduler_.Advance(seconds(31));
  EXPECT_FALSE(Ready());
  EXPECT_TRUE(status_->Diagnose().stale);
  EXPECT_THAT(status_->Diagnose().reasons,
              ElementsAre("status_stale", "metadata_read_failed", "circuit_breaker_open"));
  EXPECT_TRUE(status_->View()->decryptable.contains(KeyIdOf(1)));

  workers_.faults.clear();
  scheduler_.Advance(minutes(1) + seconds(31));
  EXPECT_TRUE(Ready());
}

INSTANTIATE_TEST_SUITE_P(EveryClass, TransportFailureTest, ::testing::ValuesIn(kTransport));

class DefiniteFindingTest : public KeyStatusOutageTest,
                            public ::testing::WithParamInterface<ipc::Outcome> {};

TEST_P(DefiniteFindingTest, ChangesStatusAtOnceAndBack) {
  CreateAndStart();
  workers_.FailAll(GetParam());
  scheduler_.Advance(seconds(31));
  ExpectHealth(Health::kUnhealthy);
  EXPECT_THAT(status_->Diagnose().reasons, Contains("metadata_read_failed"));
  workers_.faults.clear();
  scheduler_.Advance(seconds(3));
  EXPECT_TRUE(Ready());
}

INSTANTIATE_TEST_SUITE_P(EveryClass, DefiniteFindingTest, ::testing::ValuesIn(kDefinite));

struct BadKey {
  const char* name;
  void (*spoil)(ipc::MetadataAnswer&);
  const char* reason;
};

constexpr BadKey kBadKeys[] = {
    {"upsert", [](ipc::MetadataAnswer& k) { k.set_disable_upsert(false); }, "upsert_allowed"},
    {"type", [](ipc::MetadataAnswer& k) { k.set_type("rsa-4096"); }, "profile_invalid"},
    {"exportable", [](ipc::MetadataAnswer& k) { k.set_exportable(true); }, "profile_invalid"},
    {"backup", [](ipc::MetadataAnswer& k) { k.set_allow_plaintext_backup(true); },
     "profile_invalid"},
    {"deletion", [](ipc::MetadataAnswer& k) { k.set_deletion_allowed(true); }, "profile_invalid"},
    {"derived", [](ipc::MetadataAnswer& k) { k.set_derived(true); }, "profile_invalid"},
    {"deleted", [](ipc::MetadataAnswer& k) { k.set_soft_deleted(true); }, "profile_invalid"},
    {"recreated",
     [](ipc::MetadataAnswer& k) { k.mutable_versions()->set_created_unix(0, 1'700'000'061); },
     "profile_invalid"},
    {"encryption", [](ipc::MetadataAnswer& k) { k.set_min_encryption_version(2); },
     "profile_invalid"},
};

TEST_F(KeyStatusOutageTest, FindsEveryBadKeyAndRecovers) {
  CreateAndStart();
  const ipc::MetadataAnswer good = workers_.key;
  for (const BadKey& bad : kBadKeys) {
    SCOPED_TRACE(bad.name);
    bad.spoil(workers_.key);
    scheduler_.Advance(seconds(31));
    EXPECT_FALSE(Ready());
    EXPECT_THAT(status_->Diagnose().reasons, ElementsAre(bad.reason));
    workers_.key = good;
    scheduler_.Advance(seconds(31));
    EXPECT_TRUE(Ready());
  }
}

TEST_F(KeyStatusOutageTest, SaysWhenTheUpsertPolicyCannotBeRead) {
  CreateAndStart();
  for (const Slot slot : {0U, 1U}) {
    workers_.faults[slot].upsert = ipc::OUTCOME_PERMISSION_DENIED;
  }
  scheduler_.Advance(seconds(31));
  EXPECT_THAT(status_->Diagnose().reasons, ElementsAre("upsert_check_failed"));
  EXPECT_EQ(status_->Diagnose().metadata_error_class, "permission_denied");
}

TEST_F(KeyStatusOutageTest, RepeatsAfterOneTwoAndFiveSecondsThenAtTheRegularInterval) {
  CreateAndStart();
  workers_.FailAll(ipc::OUTCOME_NOT_FOUND);
  EXPECT_THAT(ReadTimes(seconds(70)), ElementsAre(30, 30, 31, 31, 33, 33, 38, 38, 68, 68))
      << "on both workers each time";
}

TEST_F(KeyStatusOutageTest, RepeatsAtTheRetryIntervalUntilTheFirstSuccess) {
  workers_.FailAll(ipc::OUTCOME_CONNECTION_FAILED);
  CreateAndStart();
  ASSERT_EQ(workers_.Count("metadata"), 1U);
  // The breaker counts 0, 13 and 18, and lets one trial through 30 s later.
  EXPECT_THAT(ReadTimes(seconds(55)), ElementsAre(1, 3, 8, 13, 18, 48));
  workers_.faults.clear();
  scheduler_.Advance(seconds(35));
  EXPECT_TRUE(Ready());
}

TEST_F(KeyStatusOutageTest, ShowsTheBreakerAndKeepsStatusWhileItIsOpen) {
  CreateAndStart();
  workers_.FailAll(ipc::OUTCOME_CONNECTION_FAILED);
  EXPECT_CALL(metrics_, BreakerState(0)).Times(::testing::AnyNumber());
  EXPECT_CALL(metrics_, BreakerState(1)).Times(::testing::AtLeast(1));
  scheduler_.Advance(seconds(30 + 1 + 2 + 5 + 30 + 30 + 1));
  EXPECT_TRUE(Ready()) << "99 s old, and stale only after 120";
  scheduler_.Advance(minutes(2));
  EXPECT_FALSE(Ready());
  workers_.faults.clear();
  scheduler_.Advance(minutes(1));
  EXPECT_TRUE(Ready());
}

TEST_F(KeyStatusOutageTest, RecoversAtOnceWhenAWorkerGetsATokenWhileTheBreakerIsOpen) {
  workers_.FailAll(ipc::OUTCOME_CONNECTION_FAILED);
  CreateAndStart();
  scheduler_.Advance(seconds(20));
  EXPECT_THAT(status_->Diagnose().reasons, Contains("circuit_breaker_open"));
  workers_.faults.clear();
  status_->OnWorkerUsable();
  scheduler_.RunDue();
  EXPECT_TRUE(Ready());
}

TEST_F(KeyStatusOutageTest, SaysOnceThatBootstrapIsOverdueAndGoesOn) {
  workers_.FailAll(ipc::OUTCOME_SEALED);
  CreateAndStart();
  scheduler_.Advance(seconds(59));
  EXPECT_TRUE(log_.Of("status.bootstrap_overdue").empty());
  scheduler_.Advance(minutes(10));
  ASSERT_EQ(log_.Of("status.bootstrap_overdue").size(), 1U);
  EXPECT_EQ(log_.Of("status.bootstrap_overdue")[0].level, LogLevel::kError);
  workers_.faults.clear();
  scheduler_.Advance(minutes(1));
  EXPECT_TRUE(Ready());
}

TEST_F(KeyStatusOutageTest, ReportsTheFirstFailureWithAGraceTimeoutOfZero) {
  options_.grace_timeout = BootTime::zero();
  workers_.FailAll(ipc::OUTCOME_SEALED);
  CreateAndStart();
  EXPECT_EQ(log_.Of("status.bootstrap_overdue").size(), 1U);
}

TEST_F(KeyStatusOutageTest, KeepsStatusThroughATransportFailureOfTheDeepProbeForAWhile) {
  CreateAndStart();
  scheduler_.Advance(minutes(4) + seconds(50));
  workers_.faults[0].encrypt = ipc::OUTCOME_TIMEOUT;
  scheduler_.Advance(seconds(20));
  EXPECT_TRUE(Ready());
  EXPECT_EQ(status_->Diagnose().deep_error_class, "timeout");
  scheduler_.Advance(minutes(2));
  EXPECT_FALSE(Ready());
  EXPECT_THAT(status_->Diagnose().reasons, Contains("deep_probe_failed"));
  workers_.faults.clear();
  scheduler_.Advance(minutes(1) + seconds(31));
  EXPECT_TRUE(Ready());
}

TEST_F(KeyStatusOutageTest, StaysReadyWhileTheOtherWorkerWaitsForALogin) {
  for (const ipc::Outcome outcome : {ipc::OUTCOME_TIMEOUT, ipc::OUTCOME_AUTH_FAILED}) {
    SCOPED_TRACE(ipc::Outcome_Name(outcome));
    workers_.faults.clear();
    workers_.without_token.clear();
    Restart();
    ASSERT_TRUE(Ready());
    workers_.without_token = {1};
    workers_.faults[1].decrypt = outcome;
    workers_.calls.clear();
    scheduler_.Advance(minutes(30));
    EXPECT_TRUE(Ready());
    EXPECT_GT(workers_.Count("decrypt"), 0U);
    EXPECT_FALSE(std::ranges::any_of(workers_.calls, [](const FakeWorkerPool::Call& call) {
      return call.operation == "decrypt" && call.slot == 1;
    })) << "a probe waited for the login";
  }
}

struct BadDeep {
  const char* name;
  FakeWorkerPool::Faults faults;
  const char* reason;
};

TEST_F(KeyStatusOutageTest, TurnsBadAtOnceOnADefiniteDeepFinding) {
  FakeWorkerPool::Faults denied;
  denied.encrypt = ipc::OUTCOME_PERMISSION_DENIED;
  FakeWorkerPool::Faults wrong_version;
  wrong_version.ciphertext = "vault:v2:AAAA";
  FakeWorkerPool::Faults oversized;
  oversized.ciphertext = "vault:v1:" + std::string(1015, 'A');
  FakeWorkerPool::Faults bad_answer;
  bad_answer.encrypt = ipc::OUTCOME_BAD_ANSWER;
  const BadDeep rows[] = {{"denied", denied, "deep_probe_failed"},
                          {"wrong version", wrong_version, "deep_probe_invalid"},
                          {"oversized", oversized, "deep_probe_invalid"},
                          {"bad answer", bad_answer, "deep_probe_invalid"}};
  for (const BadDeep& row : rows) {
    SCOPED_TRACE(row.name);
    Restart();
    ASSERT_TRUE(Ready());
    workers_.faults[0] = workers_.faults[1] = row.faults;
    scheduler_.Advance(minutes(5) + seconds(1));
    EXPECT_THAT(status_->Diagnose().reasons, Contains(row.reason));
    workers_.faults.clear();
  }
}

TEST_F(KeyStatusOutageTest, NoticesAWorkerThatDecryptsToSomethingElse) {
  workers_.faults[1].garbles_plaintext = true;
  CreateAndStart();
  EXPECT_THAT(status_->Diagnose().reasons, ElementsAre("deep_probe_invalid"));
}

TEST_F(KeyStatusOutageTest, AcceptsTheLargestCiphertextOfTheProtocol) {
  CreateAndStart();
  workers_.faults[0].ciphertext = "vault:v1:" + std::string(1014, 'A');
  scheduler_.Advance(minutes(5));
  // 1,023 bytes pass the size check; it is the decryption that does not match.
  EXPECT_GE(workers_.Count("decrypt"), 2U);
}

TEST_F(KeyStatusOutageTest, LogsFailuresAsWarningsWithReasonAndClass) {
  workers_.FailAll(ipc::OUTCOME_SEALED);
  EXPECT_CALL(metrics_, MetadataObservation(std::string_view("sealed"))).Times(1);
  CreateAndStart();
  const auto probes = log_.Of("status.probe");
  ASSERT_EQ(probes.size(), 1U);
  EXPECT_EQ(probes[0].level, LogLevel::kWarn);
  EXPECT_EQ(FakeLog::Text(probes[0], "reason"), "metadata_read_failed");
  EXPECT_EQ(FakeLog::Text(probes[0], "error_class"), "sealed");
}

TEST_F(KeyStatusOutageTest, CallsAViewStaleByEitherClock) {
  CreateAndStart();
  scheduler_.StepWallClock(121);
  EXPECT_TRUE(status_->Diagnose().stale);
  scheduler_.StepWallClock(-1000);
  EXPECT_FALSE(status_->Diagnose().stale);
}

TEST_F(KeyStatusOutageTest, SurvivesTheLossOfAllWorkers) {
  CreateAndStart();
  workers_.ready = {};
  scheduler_.Advance(minutes(1));
  EXPECT_TRUE(Ready());
  EXPECT_EQ(status_->Diagnose().metadata_error_class, "unavailable");
  scheduler_.Advance(minutes(2));
  EXPECT_FALSE(Ready());
  workers_.ready = {1};
  status_->OnWorkerUsable();
  scheduler_.RunDue();
  EXPECT_TRUE(Ready());
}

TEST_F(KeyStatusOutageTest, DoesNotProbeForEveryWorkerThatStarts) {
  CreateAndStart();
  const std::size_t before = workers_.Count("metadata");
  for (int i = 0; i < 100; ++i) {
    status_->OnWorkerUsable();
    scheduler_.RunDue();
  }
  EXPECT_EQ(workers_.Count("metadata"), before);
}

}  // namespace
}  // namespace baokms::supervisor
