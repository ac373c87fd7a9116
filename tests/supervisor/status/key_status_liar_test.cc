// One worker that lies to the probes: neither Status nor the other worker's good word is lost.

#include <filesystem>
#include <string>
#include <vector>

#include "key_status_fixture.h"

namespace baokms::supervisor {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Health = StatusView::Health;
using Faults = FakeWorkerPool::Faults;

struct MetadataLie {
  const char* name;
  void (*tell)(ipc::MetadataAnswer&);
};

constexpr MetadataLie kMetadataLies[] = {
    {"upsert",
     [](ipc::MetadataAnswer& said) {
       said.set_disable_upsert(false);
     }},
    {"profile",
     [](ipc::MetadataAnswer& said) {
       said.set_exportable(true);
     }},
    {"rollback",
     [](ipc::MetadataAnswer& said) {
       said.set_latest_version(1);
       FakeWorkerPool::ForgetNewest(said);
     }},
    {"encryption",
     [](ipc::MetadataAnswer& said) {
       said.set_min_encryption_version(3);
     }},
    {"no key",
     [](ipc::MetadataAnswer& said) {
       said.set_outcome(ipc::OUTCOME_NOT_FOUND);
     }},
    {"no policy",
     [](ipc::MetadataAnswer& said) {
       said.set_upsert_outcome(ipc::OUTCOME_INVALID_REQUEST);
     }},
};

constexpr MetadataLie kRecreated = {"recreated", [](ipc::MetadataAnswer& said) {
                                      said.mutable_versions()->set_created_unix(0, 1'700'000'061);
                                    }};

class KeyStatusLiarTest : public KeyStatusTestBase {
 protected:
  // Whether Status was good during all of this time.
  bool StaysGoodFor(BootTime duration) {
    bool good = true;
    for (const BootTime end = scheduler_.Now() + duration; scheduler_.Now() < end;) {
      scheduler_.Advance(milliseconds(500));
      good = good && status_->View()->health == Health::kOk && Ready();
    }
    return good;
  }

  void StartAfresh() {
    workers_.faults.clear();
    workers_.replaced.clear();
    log_.records.clear();
    Restart();
    ASSERT_TRUE(Ready());
  }

  void ExpectHarmless(const MetadataLie& lie) {
    SCOPED_TRACE(lie.name);
    StartAfresh();
    workers_.faults[0].lie = lie.tell;
    EXPECT_TRUE(StaysGoodFor(minutes(4)));
    EXPECT_THAT(workers_.replaced, UnorderedElementsAre(0U, 1U));
    ASSERT_EQ(log_.Of("status.contradiction").size(), 1U);
    EXPECT_EQ(log_.Of("status.contradiction")[0].level, LogLevel::kError);
    EXPECT_EQ(status_->Diagnose().finding, "");
  }
};

TEST_F(KeyStatusLiarTest, OneWorkersMetadataCannotEndStatus) {
  options_.rotation = {.required_observations = 1, .activation_delay = BootTime::zero()};
  CreateAndStart();
  workers_.AddVersion();
  scheduler_.Advance(seconds(31));
  ASSERT_EQ(status_->View()->active_version, 2U);
  for (const MetadataLie& lie : kMetadataLies) {
    ExpectHarmless(lie);
  }
  ExpectHarmless(kRecreated);
}

TEST_F(KeyStatusLiarTest, OneWorkersMetadataCannotPreventTheFirstStatus) {
  for (const MetadataLie& lie : kMetadataLies) {
    SCOPED_TRACE(lie.name);
    workers_.faults[0].lie = lie.tell;
    CreateAndStart();
    scheduler_.Advance(seconds(2));
    EXPECT_TRUE(Ready());
    if (::testing::Test::HasFailure()) {
      return;
    }
    for (const char* file : {"reg.json", "reg.json.checkpoint"}) {
      ASSERT_TRUE(std::filesystem::remove(dir_.File(file)));
    }
    Load();
    scheduler_ = FakeScheduler();
  }
}

TEST_F(KeyStatusLiarTest, OneWorkerCannotBlockEncryption) {
  CreateAndStart();
  workers_.AddVersion();
  scheduler_.Advance(seconds(31));
  ASSERT_EQ(status_->Diagnose().rotation_state, "pending");
  workers_.faults[0].lie = [](ipc::MetadataAnswer& said) {
    said.set_min_encryption_version(2);
  };
  EXPECT_TRUE(StaysGoodFor(minutes(2)));
  EXPECT_THAT(workers_.replaced, UnorderedElementsAre(0U, 1U));
}

TEST_F(KeyStatusLiarTest, OneWorkersProbesCannotEndStatus) {
  Faults wrong_plaintext;
  wrong_plaintext.garbles_plaintext = true;
  Faults wrong_ciphertext;
  wrong_ciphertext.ciphertext = "vault:v1:AAAA";
  Faults other_version;
  other_version.ciphertext = "vault:v2:AAAA";
  Faults refuses;
  refuses.encrypt = refuses.decrypt = ipc::OUTCOME_INVALID_REQUEST;
  Faults everything = wrong_ciphertext;
  everything.garbles_plaintext = true;
  CreateAndStart();
  for (const Faults& faults :
       {wrong_plaintext, wrong_ciphertext, other_version, refuses, everything}) {
    for (const Slot liar : {0U, 1U}) {
      StartAfresh();
      workers_.faults[liar] = faults;
      EXPECT_TRUE(StaysGoodFor(minutes(12)));
      const bool involved = liar == 1
                                ? faults.garbles_plaintext || faults.decrypt != ipc::OUTCOME_OK
                                : !faults.ciphertext.empty() || faults.encrypt != ipc::OUTCOME_OK;
      EXPECT_EQ(workers_.replaced.size(), involved ? 2U : 0U);
      EXPECT_EQ(log_.Of("status.contradiction").size(), involved ? 1U : 0U);
    }
  }
}

TEST_F(KeyStatusLiarTest, AWorkerThatClaimsToReachNothingCannotEndStatus) {
  CreateAndStart();
  for (const ipc::Outcome outcome :
       {ipc::OUTCOME_TIMEOUT, ipc::OUTCOME_CONNECTION_FAILED, ipc::OUTCOME_PERMISSION_DENIED}) {
    SCOPED_TRACE(ipc::Outcome_Name(outcome));
    StartAfresh();
    workers_.faults[1].decrypt = outcome;
    EXPECT_TRUE(StaysGoodFor(minutes(12)));
    EXPECT_THAT(workers_.replaced, IsEmpty()) << "its successor needs a login too";
  }
}

TEST_F(KeyStatusLiarTest, ALiarThatComesBackIsReplacedOnceAMinuteAndStatusEndsWhenStale) {
  CreateAndStart();
  const auto relapse = [](ipc::MetadataAnswer& said) {
    said.set_disable_upsert(false);
  };
  for (int second = 0; second < 110; ++second) {
    workers_.faults[0].lie = relapse;
    scheduler_.Advance(seconds(1));
  }
  EXPECT_TRUE(Ready());
  EXPECT_EQ(workers_.replaced.size(), 4U);
  EXPECT_EQ(status_->Diagnose().rotation_deferred, "workers_disagree");
  for (int second = 0; second < 60; ++second) {
    workers_.faults[0].lie = relapse;
    scheduler_.Advance(seconds(1));
  }
  EXPECT_THAT(status_->Diagnose().reasons, ElementsAre("status_stale", "metadata_unverified"));
}

TEST_F(KeyStatusLiarTest, WhatNobodyCanConfirmCountsOnceStatusIsStale) {
  CreateAndStart();
  workers_.ready = {0};
  workers_.key.set_disable_upsert(false);
  scheduler_.Advance(seconds(40));
  EXPECT_TRUE(Ready());
  EXPECT_EQ(status_->Diagnose().rotation_deferred, "second_worker_missing");
  scheduler_.Advance(minutes(2));
  EXPECT_THAT(status_->Diagnose().reasons, ElementsAre("status_stale", "upsert_allowed"));
}

TEST_F(KeyStatusLiarTest, TheWordOfTheOnlyWorkerCountsAtOnce) {
  workers_.slots = 1;
  workers_.ready = {0};
  options_.grace_timeout = BootTime::zero();
  CreateAndStart();
  ASSERT_TRUE(Ready());
  workers_.key.set_disable_upsert(false);
  scheduler_.Advance(seconds(31));
  EXPECT_THAT(status_->Diagnose().reasons, ElementsAre("upsert_allowed"));
  workers_.key.set_disable_upsert(true);
  workers_.faults[0].garbles_plaintext = true;
  scheduler_.Advance(minutes(6));
  EXPECT_THAT(status_->Diagnose().reasons, Contains("deep_probe_invalid"));
  EXPECT_THAT(workers_.replaced, IsEmpty());
}

}  // namespace
}  // namespace baokms::supervisor
