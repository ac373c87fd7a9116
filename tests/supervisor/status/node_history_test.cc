// Whole nodes, from the probe to the disk, through random histories: rotations, bad replicas, dead
// workers, failing disks, power cuts, kills and clock steps. What a node shows must be on its disk
// for good, and never go back; two nodes with the same history end equal.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "common/contract/checkpoint.h"
#include "common/contract/registry_json.h"
#include "fake_observers.h"
#include "fake_scheduler.h"
#include "fake_worker_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "histories.h"
#include "rotation_fixture.h"
#include "supervisor/registry/registry_store.h"
#include "supervisor/status/key_status.h"
#include "tests/supervisor/registry/memory_disk.h"

namespace baokms::supervisor {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint32_t kHistories = 20;
#else
constexpr std::uint32_t kHistories = 500;
#endif
constexpr int kSteps = 120;
// About one probe in each step: faults are found by what happens between probes.
constexpr std::uint32_t kMaxStepSeconds = 60;
constexpr std::string_view kStateFile = "reg.json";

using Random = std::mt19937;

std::uint32_t Pick(Random& random, std::uint32_t below) {
  return static_cast<std::uint32_t>(random() % below);
}

class Node {
 public:
  explicit Node(Random& random) : random_(random) {
    options_.operation_timeout = seconds(2);
    options_.grace_timeout = seconds(60);
    options_.retry_interval = seconds(5);
    options_.probe_interval = seconds(30);
    options_.deep_probe_interval = minutes(5);
    options_.max_staleness = minutes(2);
    options_.rotation = {.required_observations = 3, .activation_delay = minutes(2)};
    workers_.before_acknowledgement = [this] {
      CheckTable(workers_.tables.back());
    };
    Start();
  }

  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node() = default;

  void Rotate() { workers_.AddVersion(); }

  void FailDisk(std::uint32_t one_in) { disk_.FailOneIn(one_in); }

  // Something may be wrong with what workers see or do from now on, until the next call.
  void ChangeWeather() {
    workers_.faults.clear();
    workers_.ready = {0, 1};
    const std::uint32_t slot = Pick(random_, 2);
    switch (Pick(random_, 12)) {
      case 0:
        workers_.ready = {slot};
        break;
      case 1:
        workers_.FailAll(ipc::OUTCOME_CONNECTION_FAILED);
        break;
      case 2:
        workers_.faults[slot].metadata = ipc::OUTCOME_TIMEOUT;
        break;
      case 3:
        workers_.faults[slot].lie = [](ipc::MetadataAnswer& answer) {
          SetBack(answer, 1);
        };
        break;
      case 4:  // all replicas are behind
        workers_.faults[0].lie = workers_.faults[1].lie = [](ipc::MetadataAnswer& answer) {
          SetBack(answer, (answer.latest_version() + 1) / 2);
        };
        break;
      case 5:
        workers_.faults[0].encrypt = workers_.faults[1].encrypt = ipc::OUTCOME_INVALID_REQUEST;
        break;
      case 6:
        workers_.faults[slot].lie = [](ipc::MetadataAnswer& answer) {
          ipc::KeyVersions& seen = *answer.mutable_versions();
          const int newest = seen.version_size() - 1;
          seen.set_created_unix(newest, seen.created_unix(newest) + 1);
        };
        break;
      default:
        break;
    }
  }

  void ClearSky() {
    workers_.faults.clear();
    workers_.ready = {0, 1};
    disk_.FailOneIn(0);
  }

  void LetTimePass(BootTime duration) { scheduler_.Advance(duration); }

  void StepWallClock(std::int64_t by) { scheduler_.StepWallClock(by); }

  // Somebody decrypts with the newest key that exists.
  void AskForNewest() {
    const std::string key_id(
        MakeRecord(workers_.key.latest_version(), contract::RecordState::kActive).key_id.text());
    status_->Discover(key_id, scheduler_.Now(), scheduler_.Now() + seconds(2),
                      [this, key_id](DiscoveryOutcome outcome) {
                        EXPECT_TRUE(outcome != DiscoveryOutcome::kKnown ||
                                    status_->View()->decryptable.contains(key_id));
                      });
    scheduler_.RunDue();
  }

  enum class End : std::uint8_t { kKilled, kPowerCut };

  void Restart(End end) {
    status_.reset();
    scheduler_.Forget();
    if (end == End::kPowerCut) {
      disk_.CutPower();
    }
    Start();
  }

  [[nodiscard]] const StatusView& View() { return *(view_ = status_->View()); }

  [[nodiscard]] std::string Registry() const { return Shape(*store_->current()); }

  [[nodiscard]] std::int64_t newest() const { return workers_.key.latest_version(); }

  [[nodiscard]] std::size_t probes() const { return workers_.Count("metadata"); }

 private:
  static void SetBack(ipc::MetadataAnswer& answer, std::int64_t latest) {
    answer.set_latest_version(static_cast<std::uint32_t>(latest));
    while (answer.versions().version_size() > latest) {
      FakeWorkerPool::ForgetNewest(answer);
    }
  }

  void Start() {
    std::optional<RegistryProblem> problem;
    do {  // a disk that fails now may keep us from starting, but never for good
      store_ = std::make_unique<RegistryStore>(
          StateDirectory::Open(disk_, "/state/" + std::string(kStateFile)).value(), "reg.json");
      problem = store_->Load(FixtureIdentity());
      ASSERT_TRUE(!problem.has_value() || problem->fault == RegistryFault::kNotWritable)
          << Describe(*problem);
    } while (problem.has_value());
    status_ = KeyStatus::Create({.scheduler = scheduler_,
                                 .workers = workers_,
                                 .store = *store_,
                                 .log = log_,
                                 .metrics = metrics_},
                                FixtureIdentity(), options_)
                  .value();
    scheduler_.RunDue();
    status_->Start();
    scheduler_.RunDue();
    log_.records.clear();
  }

  // What the least lucky power cut would leave right now.
  [[nodiscard]] const std::optional<contract::RegistryState>& DurableState() {
    const auto files = disk_.Durable();
    const auto found = files.find(std::string(kStateFile));
    const std::string text = found == files.end() ? "" : found->second;
    if (text != durable_text_) {  // the same file is read once
      durable_ = text.empty() ? std::nullopt : std::optional(contract::ParseState(text).value());
      durable_text_ = text;
    }
    return durable_;
  }

  // Every table that workers are given: durable, complete, and not behind an earlier one.
  void CheckTable(const ipc::KeyTable& table) {
    if (table.versions().version_size() == 0) {
      return;
    }
    const auto& durable = DurableState();
    ASSERT_TRUE(durable.has_value()) << "published before it was on disk";
    std::set<std::int64_t> keys;
    for (int i = 0; i < table.versions().version_size(); ++i) {
      const contract::KeyVersion version{.number = table.versions().version(i),
                                         .created_at_unix = table.versions().created_unix(i)};
      const auto& records = durable->contents().records;
      const auto record = std::ranges::find(records, version, &contract::KeyRecord::version);
      ASSERT_NE(record, records.end()) << "published before it was on disk";
      ASSERT_TRUE(contract::Decrypts(record->state));
      keys.insert(version.number);
      if (record->key_id.text() == table.active_key_id()) {
        ASSERT_GE(version.number, active_version_) << "the active version went back";
        active_version_ = version.number;
      }
    }
    ASSERT_TRUE(std::ranges::includes(keys, published_)) << "a published key stopped decrypting";
    published_ = std::move(keys);
  }

  Random& random_;
  StatusOptions options_;
  MemoryDisk disk_{random_};
  FakeScheduler scheduler_;
  FakeWorkerPool workers_{scheduler_};
  FakeLog log_;
  ::testing::NiceMock<MockMetrics> metrics_;
  std::unique_ptr<RegistryStore> store_;
  std::unique_ptr<KeyStatus> status_;
  std::shared_ptr<const StatusView> view_;
  std::string durable_text_;
  std::optional<contract::RegistryState> durable_;
  std::set<std::int64_t> published_;
  std::int64_t active_version_ = 0;
};

class TwoNodes {
 public:
  explicit TwoNodes(std::uint32_t seed) : random_(seed), nodes_{Node(random_), Node(random_)} {}

  void Step() {
    if (Pick(random_, 20) == 0) {
      for (Node& node : nodes_) {
        node.Rotate();
      }
    }
    for (Node& node : nodes_) {
      Disturb(node);
      node.LetTimePass(seconds(Pick(random_, kMaxStepSeconds)));
      const std::string& key_id = node.View().active_key_id;
      ASSERT_TRUE(key_id.empty() || node.View().decryptable.contains(key_id));
    }
  }

  void ComeToRest() {
    for (Node& node : nodes_) {
      node.ClearSky();
      node.LetTimePass(minutes(10));
      EXPECT_EQ(node.View().health, StatusView::Health::kOk);
      EXPECT_EQ(node.View().active_version, node.newest());
    }
    EXPECT_EQ(nodes_[0].Registry(), nodes_[1].Registry());
    EXPECT_EQ(nodes_[0].View().active_key_id, nodes_[1].View().active_key_id);
  }

  [[nodiscard]] std::size_t probes() const { return nodes_[0].probes() + nodes_[1].probes(); }

 private:
  void Disturb(Node& node) {
    switch (Pick(random_, 10)) {
      case 0:
        node.Restart(Node::End::kKilled);
        break;
      case 1:
        node.Restart(Node::End::kPowerCut);
        break;
      case 2:
      case 3:
        node.ChangeWeather();
        break;
      case 4:
        node.FailDisk(Pick(random_, 3) == 0 ? 2 + Pick(random_, 30) : 0);
        break;
      case 5:
        node.StepWallClock(static_cast<std::int64_t>(Pick(random_, 20000)) - 10000);
        break;
      case 6:
        node.AskForNewest();
        break;
      default:
        break;
    }
  }

  Random random_;
  std::array<Node, 2> nodes_;
};

TEST(NodeHistoryTest, ShowsNothingThatIsNotOnDiskAndNeverGoesBack) {
  std::atomic<std::size_t> probes = 0;
  RunHistories(kHistories, [&probes](std::uint32_t seed) {
    TwoNodes nodes(seed);
    for (int step = 0; step < kSteps && !::testing::Test::HasFailure(); ++step) {
      nodes.Step();
    }
    nodes.ComeToRest();
    probes += nodes.probes();
  });
  std::cout << probes << " metadata reads of two nodes\n";
}

}  // namespace
}  // namespace baokms::supervisor
