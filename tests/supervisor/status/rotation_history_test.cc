// Random histories of a rotating key, flapping replicas, wild clocks, restarts and failed saves.
// The rules of the data contract, section 11, must hold after every step.

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "common/contract/registry_json.h"
#include "common/contract/registry_transition.h"
#include "rotation_fixture.h"

namespace baokms::supervisor {
namespace {

using contract::KeyRecord;
using contract::RecordState;
using contract::RegistryState;
using std::chrono::seconds;

class History {
 public:
  explicit History(std::uint32_t seed) : random_(seed) {
    policy_.required_observations = 1 + Pick(4);
    policy_.activation_delay = seconds(Pick(200));
  }

  void Step() {
    boot_ += seconds(Pick(40));
    unix_ += Pick(10) == 0 ? Pick(4000) - 2000 : 30;
    unix_ = std::max<std::int64_t>(unix_, 1);
    switch (Pick(12)) {
      case 0:
        latest_ += Pick(3);
        break;
      case 1:
        timer_.reset();  // a restart
        break;
      case 2:
        Retire();
        break;
      default:
        Probe(Pick(5) == 0 ? Counting::kDoesNotCount : Counting::kCounts);
        break;
    }
  }

  [[nodiscard]] std::int64_t promotions() const { return promotions_; }

 private:
  std::int64_t Pick(std::int64_t below) {
    return std::uniform_int_distribution<std::int64_t>(0, below - 1)(random_);
  }

  // Now and then a replica that is behind answers.
  contract::TransitKeyMetadata Read() {
    return Metadata(Pick(6) == 0 ? 1 + Pick(latest_) : latest_);
  }

  void Probe(Counting counting) {
    const auto metadata = Read();
    const auto observation = Observe(state_, metadata, FixtureIdentity(), policy_, counting, unix_);
    if (observation.failure.has_value()) {
      EXPECT_FALSE(observation.next.has_value());
      return;
    }
    if (observation.next.has_value() && !Save(*observation.next)) {
      return;
    }
    if (counting == Counting::kDoesNotCount) {
      return;
    }
    timer_ = AdvanceTimer(state_, policy_, timer_, boot_);
    if (timer_.has_value() && timer_->started == boot_) {
      started_ = boot_;
    }
    if (IsDue(timer_, policy_, boot_)) {
      PromoteNow();
    }
  }

  void PromoteNow() {
    const KeyRecord candidate = *PendingOf(state_);
    EXPECT_GE(candidate.stable_observation_count, policy_.required_observations);
    EXPECT_GE(boot_ - started_, policy_.activation_delay);
    const Promotion promotion = Promote(state_, unix_);
    ASSERT_TRUE(promotion.next.has_value());
    if (Save(*promotion.next)) {
      EXPECT_EQ(state_.active().key_id, candidate.key_id);
      ++promotions_;
    }
  }

  // A save that fails leaves the old state, which is what the next step starts from.
  bool Save(const RegistryState& next) {
    if (Pick(8) == 0) {
      return false;
    }
    Check(next);
    state_ = next;
    return true;
  }

  void Check(const RegistryState& next) {
    ASSERT_TRUE(contract::CheckTransition(state_, next).has_value());
    EXPECT_GE(next.active().version.number, state_.active().version.number);
    const auto& records = next.contents().records;
    EXPECT_EQ(records, contract::InWriteOrder(records)) << Shape(next);
    EXPECT_LE(std::ranges::count(records, RecordState::kPending, &KeyRecord::state), 1);
    for (const KeyRecord& record : records) {
      if (record.state == RecordState::kPending) {
        EXPECT_GT(record.version.number, next.active().version.number);
      }
      if (contract::Decrypts(record.state)) {
        shown_.insert(std::string(record.key_id.text()));
      }
    }
    for (const KeyRecord& record : state_.contents().records) {
      const KeyRecord* after = next.Find(record.key_id);
      ASSERT_NE(after, nullptr);
      EXPECT_EQ(after->version, record.version);
      EXPECT_GE(after->observed_at_unix, record.observed_at_unix);
      EXPECT_GE(after->promoted_at_unix, record.promoted_at_unix);
      if (record.state == RecordState::kRemoved) {
        EXPECT_EQ(*after, record);
      }
    }
    for (const std::string& key_id : shown_) {
      const KeyRecord* record = next.Find(contract::KeyId::Parse(key_id).value());
      ASSERT_NE(record, nullptr);
      EXPECT_TRUE(contract::Decrypts(record->state) || removed_.contains(key_id));
    }
    EXPECT_EQ(contract::ParseState(contract::SerializeState(next)).value(), next);
  }

  // What the operator's command does: some retired keys become removed, for good.
  void Retire() {
    auto contents = state_.contents();
    contents.generation += 1;
    contents.previous_hash = state_.current_hash();
    const std::int64_t before = 1 + Pick(state_.active().version.number);
    for (KeyRecord& record : contents.records) {
      if (record.state == RecordState::kRetired && record.version.number < before) {
        record.state = RecordState::kRemoved;
        removed_.insert(std::string(record.key_id.text()));
      }
    }
    contents.records = contract::InWriteOrder(std::move(contents.records));
    state_ = RegistryState::Create(std::move(contents)).value();
  }

  std::mt19937 random_;
  RotationPolicy policy_;
  RegistryState state_ = FirstState();
  std::int64_t latest_ = 1;
  BootTime boot_ = seconds(1000);
  BootTime started_{};
  std::int64_t unix_ = kObserved;
  std::optional<ActivationTimer> timer_;
  std::set<std::string> shown_;
  std::set<std::string> removed_;
  std::int64_t promotions_ = 0;
};

TEST(RotationHistoryTest, KeepsItsPromisesWhateverHappens) {
  std::int64_t promotions = 0;
  for (std::uint32_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    History history(seed);
    for (int step = 0; step < 80; ++step) {
      history.Step();
      if (::testing::Test::HasFailure()) {
        return;
      }
    }
    promotions += history.promotions();
  }
  EXPECT_GT(promotions, 20) << "the histories must get somewhere";
}

}  // namespace
}  // namespace baokms::supervisor
