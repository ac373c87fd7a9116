// Replays every prefix of a save's operations against a model of what a disk promises.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "common/contract/registry_json.h"
#include "disk_model.h"
#include "gtest/gtest.h"
#include "registry_fixture.h"
#include "supervisor/registry/registry_store.h"
#include "test_directory.h"

namespace baokms::supervisor {
namespace {

using contract::RegistryState;

// What a start finds on a disk with this content; empty when it refuses it.
struct Found {
  std::optional<RegistryProblem> problem;
  std::optional<RegistryState> state;
};

Found LoadImage(const DiskImage& image) {
  TestDirectory dir;
  for (const auto& [name, content] : image) {
    dir.Write(name, content);
  }
  SystemFileOps ops;
  RegistryStore store(StateDirectory::Open(ops, dir.File("reg.json")).value(), "reg.json");
  auto problem = store.Load(FixtureIdentity());
  return {problem, store.current()};
}

// Saves first_, then records the save of second_.
class PowerCutTest : public ::testing::Test {
 protected:
  PowerCutTest() {
    TestDirectory dir;
    SystemFileOps real;
    RecordingFileOps ops(real);
    RegistryStore store(StateDirectory::Open(ops, dir.File("reg.json")).value(), "reg.json");
    EXPECT_FALSE(store.Load(FixtureIdentity()).has_value());
    EXPECT_TRUE(store.Save(first_).has_value());
    bootstrap_ = ops.record();
    before_ = {{"reg.json", dir.Read("reg.json")},
               {"reg.json.checkpoint", dir.Read("reg.json.checkpoint")}};
    ops.Clear();
    EXPECT_TRUE(store.Save(second_).has_value());
    save_ = ops.record();
  }

  RegistryState first_ = FirstState();
  RegistryState second_ = WithPending(first_, 2);
  DiskImage before_;
  std::vector<DiskOp> bootstrap_;
  std::vector<DiskOp> save_;
};

TEST_F(PowerCutTest, LeavesTheOldOrTheNewStateAtEveryPoint) {
  for (std::size_t done = 0; done <= save_.size(); ++done) {
    SCOPED_TRACE(done);
    for (const DiskImage& image : AfterPowerCut(before_, std::span(save_).first(done))) {
      const Found found = LoadImage(image);
      ASSERT_FALSE(found.problem.has_value()) << Describe(*found.problem);
      EXPECT_TRUE(found.state == first_ || found.state == second_);
      EXPECT_TRUE(done < save_.size() || found.state == second_) << "a finished save was undone";
    }
  }
}

TEST_F(PowerCutTest, LeavesNothingOrTheFirstStateAtBootstrap) {
  for (std::size_t done = 0; done <= bootstrap_.size(); ++done) {
    SCOPED_TRACE(done);
    for (const DiskImage& image : AfterPowerCut({}, std::span(bootstrap_).first(done))) {
      const Found found = LoadImage(image);
      ASSERT_FALSE(found.problem.has_value()) << Describe(*found.problem);
      EXPECT_TRUE(!found.state.has_value() || found.state == first_);
      EXPECT_TRUE(done < bootstrap_.size() || found.state == first_);
    }
  }
}

// Whether some power cut loses the registry when operations of kind T are left out of the save.
template <typename T>
bool LosesWithout(const DiskImage& before, std::vector<DiskOp> save, const RegistryState& saved) {
  std::erase_if(save, [](const DiskOp& op) { return std::holds_alternative<T>(op); });
  for (std::size_t done = 0; done <= save.size(); ++done) {
    for (const DiskImage& image : AfterPowerCut(before, std::span(save).first(done))) {
      const Found found = LoadImage(image);
      if (found.problem.has_value() || (done == save.size() && found.state != saved)) {
        return true;
      }
    }
  }
  return false;
}

TEST_F(PowerCutTest, NeedsBothKindsOfSync) {
  EXPECT_TRUE(LosesWithout<SyncFileOp>(before_, save_, second_));
  EXPECT_TRUE(LosesWithout<SyncDirectoryOp>(before_, save_, second_));
}

}  // namespace
}  // namespace baokms::supervisor
