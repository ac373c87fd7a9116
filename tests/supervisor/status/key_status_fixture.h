// A whole KeyStatus over a real directory, a fake OpenBao and virtual time.

#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "fake_observers.h"
#include "fake_scheduler.h"
#include "fake_worker_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "supervisor/status/key_status.h"
#include "tests/supervisor/registry/faulty_file_ops.h"
#include "tests/supervisor/registry/registry_fixture.h"
#include "tests/supervisor/registry/test_directory.h"

namespace baokms::supervisor {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class KeyStatusTestBase : public ::testing::Test {
 protected:
  KeyStatusTestBase() {
    options_.operation_timeout = seconds(2);
    options_.grace_timeout = seconds(60);
    options_.retry_interval = seconds(5);
    options_.probe_interval = seconds(30);
    options_.deep_probe_interval = minutes(5);
    options_.max_staleness = minutes(2);
    options_.rotation = {.required_observations = 3, .activation_delay = minutes(2)};
    Load();
  }

  // Reads the directory anew, as a start of the program does.
  void Load() {
    status_.reset();
    store_ = std::make_unique<RegistryStore>(
        StateDirectory::Open(ops_, dir_.File("reg.json")).value(), dir_.File("reg.json"));
    const auto problem = store_->Load(FixtureIdentity());
    ASSERT_FALSE(problem.has_value()) << Describe(*problem);
  }

  void Create() {
    status_ = KeyStatus::Create({.scheduler = scheduler_,
                                 .workers = workers_,
                                 .store = *store_,
                                 .log = log_,
                                 .metrics = metrics_},
                                FixtureIdentity(), options_)
                  .value();
  }

  void CreateAndStart() {
    Create();
    status_->Start();
    scheduler_.RunDue();
  }

  // What a process leaves behind when it ends: its timers never fire.
  void Restart() {
    status_.reset();
    scheduler_ = FakeScheduler();
    Load();
    CreateAndStart();
  }

  void ExpectHealth(StatusView::Health health) { EXPECT_EQ(status_->View()->health, health); }

  [[nodiscard]] bool Ready() const { return status_->Diagnose().ready; }

  // Asks for a version's key as Decrypt would, and lets the answer come.
  std::optional<DiscoveryOutcome> Discover(std::string_view key_id,
                                           BootTime patience = seconds(2)) {
    auto outcome = std::make_shared<std::optional<DiscoveryOutcome>>();
    status_->Discover(key_id, scheduler_.Now(), scheduler_.Now() + patience,
                      [outcome](DiscoveryOutcome answer) {
                        ASSERT_FALSE(outcome->has_value()) << "answered twice";
                        *outcome = answer;
                      });
    scheduler_.RunDue();
    return *outcome;
  }

  static std::string KeyIdOf(std::int64_t version) {
    return std::string(MakeRecord(version, contract::RecordState::kActive).key_id.text());
  }

  TestDirectory dir_;
  FaultyFileOps ops_;
  FakeScheduler scheduler_;
  FakeWorkerPool workers_{scheduler_};
  FakeLog log_;
  ::testing::NiceMock<MockMetrics> metrics_;
  StatusOptions options_;
  std::unique_ptr<RegistryStore> store_;
  std::unique_ptr<KeyStatus> status_;
};

}  // namespace baokms::supervisor
