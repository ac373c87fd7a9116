// Random histories of a rotating key as two nodes see it: flapping replicas, wild clocks, restarts,
// failed saves, bad metadata, operators. The rules of docs/contract.md#invariants must hold
// after every step, and both nodes must end equal.

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "common/contract/checkpoint.h"
#include "common/contract/registry_json.h"
#include "common/contract/registry_transition.h"
#include "histories.h"
#include "rotation_fixture.h"

namespace baokms::supervisor {
namespace {

using contract::KeyId;
using contract::KeyRecord;
using contract::RecordState;
using contract::RegistryState;
using std::chrono::seconds;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint32_t kHistories = 400;
#else
constexpr std::uint32_t kHistories = 7000;
#endif
constexpr int kSteps = 100;

using Random = std::mt19937;

std::int64_t Pick(Random& random, std::int64_t below) {
  return std::uniform_int_distribution<std::int64_t>(0, below - 1)(random);
}

bool OneIn(Random& random, std::int64_t count) {
  return Pick(random, count) == 0;
}

// The truth about the key, and what a read of it may look like on a bad day.
class Key {
 public:
  void Rotate(std::int64_t times) { latest_ += times; }

  void RaiseMinimum(std::int64_t version) { minimum_ = std::max(minimum_, version); }

  [[nodiscard]] contract::TransitKeyMetadata Truth() const {
    auto metadata = Metadata(latest_);
    metadata.min_decryption_version = minimum_;
    return metadata;
  }

  // Versions up to `known` are in every registry: only those may be lied about. (A lie about a new
  // version would have to fool two workers, and be believed for good.)
  contract::TransitKeyMetadata Read(Random& random, std::int64_t known) const {
    auto metadata = Truth();
    switch (Pick(random, 24)) {
      case 0:
      case 1:
      case 2:  // a replica that is behind
        metadata = Metadata(1 + Pick(random, latest_));
        break;
      case 3:  // another key under the same name
        metadata.versions[static_cast<std::size_t>(Pick(random, known))].created_at_unix += 1;
        break;
      case 4:
        metadata.exportable = true;
        break;
      case 5:
        metadata.min_decryption_version = 1 + Pick(random, latest_ + 1);
        break;
      case 6:
        metadata.min_encryption_version = 1 + Pick(random, latest_ + 1);
        break;
      case 7:  // a hole
        metadata.versions.erase(metadata.versions.begin() + Pick(random, latest_));
        break;
      default:
        break;
    }
    return metadata;
  }

 private:
  std::int64_t latest_ = 1;
  std::int64_t minimum_ = 1;
};

// One node: what is on its disk, what it has published, and its clocks.
class Node {
 public:
  Node(Random& random, RotationPolicy policy) : random_(random), policy_(policy) { Show(); }

  void LetTimePass() {
    boot_ += seconds(Pick(random_, 40));
    unix_ += OneIn(random_, 10) ? Pick(random_, 4000) - 2000 : 30;
    unix_ = std::max<std::int64_t>(unix_, 1);
  }

  // What the disk holds is what it starts with; no timer survives.
  void Restart() {
    timer_.reset();
    const auto verdict = contract::CompareWithCheckpoint(&disk_, &checkpoint_);
    ASSERT_TRUE(verdict == contract::CheckpointVerdict::kAccepted ||
                verdict == contract::CheckpointVerdict::kWriteCheckpoint);
    checkpoint_ = contract::CheckpointOf(disk_);
    ASSERT_GE(disk_.active().version.number, published_active_);
    unfinished_.reset();
    state_ = disk_;
    Show();
  }

  enum class Disk : std::uint8_t { kSound, kFaulty };

  void Probe(const contract::TransitKeyMetadata& metadata, Counting counting, Disk disk) {
    if (unfinished_.has_value() && !Write(RegistryState(*unfinished_), disk)) {
      return;
    }
    const auto observation = Observe(state_, metadata, FixtureIdentity(), policy_, counting, unix_);
    if (observation.failure.has_value()) {
      ASSERT_FALSE(observation.next.has_value());
      return;
    }
    if (observation.next.has_value() && !Write(*observation.next, disk)) {
      return;
    }
    if (counting == Counting::kDoesNotCount) {
      return;
    }
    const auto before = timer_;
    timer_ = AdvanceTimer(state_, policy_, timer_, boot_);
    if (timer_ != before) {
      started_ = boot_;
    }
    if (IsDue(timer_, policy_, boot_)) {
      PromoteNow(disk);
    }
  }

  // What retire-versions does with the node stopped: some retired keys become removed, for good.
  void Retire(std::int64_t before) {
    Restart();
    auto contents = state_.contents();
    contents.generation += 1;
    contents.previous_hash = state_.current_hash();
    for (KeyRecord& record : contents.records) {
      if (record.state == RecordState::kRetired && record.version.number < before) {
        record.state = RecordState::kRemoved;
        removed_.insert(record.key_id);
      }
    }
    disk_ = RegistryState::Create(std::move(contents)).value();
    checkpoint_ = contract::CheckpointOf(disk_);
    Restart();
  }

  [[nodiscard]] const RegistryState& state() const { return state_; }

  [[nodiscard]] std::int64_t promotions() const { return promotions_; }

 private:
  void PromoteNow(Disk disk) {
    const KeyRecord candidate = *PendingOf(state_);
    EXPECT_GE(candidate.stable_observation_count, policy_.required_observations);
    EXPECT_GE(boot_ - started_, policy_.activation_delay);
    const Promotion promotion = Promote(state_, unix_);
    ASSERT_TRUE(promotion.next.has_value());
    timer_.reset();
    if (Write(*promotion.next, disk)) {
      EXPECT_EQ(state_.active().key_id, candidate.key_id);
      ++promotions_;
    }
  }

  // State first, then checkpoint, then everybody may know.
  bool Write(const RegistryState& next, Disk disk) {
    CheckStep(next);
    const std::int64_t fault = disk == Disk::kFaulty ? Pick(random_, 16) : 15;
    if (fault == 0) {
      unfinished_ = next;
      return false;
    }
    disk_ = next;
    if (fault == 1) {
      unfinished_ = next;
      return false;
    }
    checkpoint_ = contract::CheckpointOf(next);
    unfinished_.reset();
    state_ = next;
    Show();
    return true;
  }

  void Show() {
    published_active_ = state_.active().version.number;
    for (const KeyRecord& record : state_.contents().records) {
      if (contract::Decrypts(record.state)) {
        shown_.insert(record.key_id);
      }
    }
  }

  void CheckStep(const RegistryState& next) {
    ASSERT_TRUE(contract::CheckTransition(state_, next).has_value());
    const auto& records = next.contents().records;
    EXPECT_EQ(records, contract::InWriteOrder(records)) << Shape(next);
    EXPECT_LE(std::ranges::count(records, RecordState::kPending, &KeyRecord::state), 1);
    for (const KeyRecord& record : records) {
      EXPECT_TRUE(record.state != RecordState::kPending ||
                  record.version.number > next.active().version.number);
    }
    for (const KeyRecord& record : state_.contents().records) {
      const KeyRecord* after = next.Find(record.key_id);
      ASSERT_NE(after, nullptr);
      EXPECT_EQ(after->version, record.version);
      EXPECT_GE(after->observed_at_unix, record.observed_at_unix);
      EXPECT_GE(after->promoted_at_unix, record.promoted_at_unix);
      EXPECT_TRUE(record.state != RecordState::kRemoved || *after == record);
    }
    for (const KeyId& key_id : shown_) {
      const KeyRecord* record = next.Find(key_id);
      ASSERT_NE(record, nullptr);
      EXPECT_TRUE(contract::Decrypts(record->state) || removed_.contains(key_id));
    }
    if (OneIn(random_, 50)) {
      EXPECT_EQ(contract::ParseState(contract::SerializeState(next)).value(), next);
    }
  }

  Random& random_;
  RotationPolicy policy_;
  RegistryState disk_ = FirstState();
  contract::Checkpoint checkpoint_ = contract::CheckpointOf(disk_);
  RegistryState state_ = disk_;
  std::optional<RegistryState> unfinished_;
  std::int64_t published_active_ = 1;
  BootTime boot_ = seconds(1000);
  BootTime started_{};
  std::int64_t unix_ = kObserved;
  std::optional<ActivationTimer> timer_;
  std::set<KeyId> shown_;
  std::set<KeyId> removed_;
  std::int64_t promotions_ = 0;
};

class History {
 public:
  explicit History(std::uint32_t seed)
      : random_(seed),
        policy_{.required_observations = 1 + Pick(random_, 4),
                .activation_delay = seconds(Pick(random_, 200))},
        nodes_{Node(random_, policy_), Node(random_, policy_)} {}

  void Step() {
    if (OneIn(random_, 20)) {
      key_.Rotate(Pick(random_, 3));
    }
    if (OneIn(random_, 40)) {
      RetireEverywhere();
    }
    Node& node = nodes_[static_cast<std::size_t>(Pick(random_, 2))];
    node.LetTimePass();
    if (OneIn(random_, 12)) {
      node.Restart();
      return;
    }
    node.Probe(key_.Read(random_, LowestActive()),
               OneIn(random_, 5) ? Counting::kDoesNotCount : Counting::kCounts,
               Node::Disk::kFaulty);
  }

  // Both see the truth for long enough.
  void ComeToRest() {
    for (Node& node : nodes_) {
      for (int round = 0; round < 200 && !IsAtRest(node); ++round) {
        node.LetTimePass();
        node.Probe(key_.Truth(), Counting::kCounts, Node::Disk::kSound);
      }
    }
    const std::int64_t latest = key_.Truth().latest_version;
    EXPECT_EQ(nodes_[0].state().active().version.number, latest);
    EXPECT_EQ(Shape(nodes_[0].state()), Shape(nodes_[1].state()));
    EXPECT_EQ(nodes_[0].state().active().key_id, nodes_[1].state().active().key_id);
  }

  [[nodiscard]] std::int64_t promotions() const {
    return nodes_[0].promotions() + nodes_[1].promotions();
  }

 private:
  [[nodiscard]] bool IsAtRest(const Node& node) const {
    return node.state().active().version.number == key_.Truth().latest_version;
  }

  [[nodiscard]] std::int64_t LowestActive() const {
    return std::min(nodes_[0].state().active().version.number,
                    nodes_[1].state().active().version.number);
  }

  // The runbook: every node has promoted, then each retires, then OpenBao's minimum is raised.
  void RetireEverywhere() {
    const std::int64_t before = 1 + Pick(random_, LowestActive());
    for (Node& node : nodes_) {
      for (int round = 0; round < 3; ++round) {  // what OpenBao has is known before it is judged
        node.Probe(key_.Truth(), Counting::kDoesNotCount, Node::Disk::kSound);
      }
      node.Retire(before);
    }
    key_.RaiseMinimum(before);
  }

  Random random_;
  Key key_;
  RotationPolicy policy_;
  std::array<Node, 2> nodes_;
};

TEST(RotationHistoryTest, KeepsItsPromisesWhateverHappens) {
  std::atomic<std::int64_t> promotions = 0;
  RunHistories(kHistories, [&promotions](std::uint32_t seed) {
    History history(seed);
    for (int step = 0; step < kSteps && !::testing::Test::HasFailure(); ++step) {
      history.Step();
    }
    history.ComeToRest();
    promotions += history.promotions();
  });
  EXPECT_TRUE(HasFailure() || promotions > kHistories) << "the histories must get somewhere";
}

}  // namespace
}  // namespace baokms::supervisor
