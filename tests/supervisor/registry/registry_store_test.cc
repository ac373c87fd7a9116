#include "supervisor/registry/registry_store.h"

#include <unistd.h>

#include <memory>
#include <optional>
#include <string>

#include "common/contract/registry_json.h"
#include "faulty_file_ops.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "registry_fixture.h"
#include "supervisor/registry/local_registry.h"
#include "test_directory.h"

namespace baokms::supervisor {
namespace {

using contract::CheckpointOf;
using contract::RegistryState;
using contract::SerializeCheckpoint;
using contract::SerializeState;
using ::testing::HasSubstr;
using ::testing::Not;

class RegistryStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<RegistryStore> Open() {
    return std::make_unique<RegistryStore>(
        StateDirectory::Open(ops_, dir_.File("reg.json")).value(), dir_.File("reg.json"));
  }

  std::optional<RegistryProblem> LoadFresh() { return Open()->Load(FixtureIdentity()); }

  void WriteState(const RegistryState& state) { dir_.Write("reg.json", SerializeState(state)); }

  void WriteCheckpoint(const RegistryState& state) {
    dir_.Write("reg.json.checkpoint", SerializeCheckpoint(CheckpointOf(state)));
  }

  void ExpectFault(RegistryFault fault) {
    const auto problem = LoadFresh();
    ASSERT_TRUE(problem.has_value());
    EXPECT_EQ(problem->fault, fault) << Describe(*problem);
    EXPECT_THAT(Describe(*problem), HasSubstr(dir_.File("reg.json")));
  }

  TestDirectory dir_;
  FaultyFileOps ops_;
  RegistryState first_ = FirstState();
  RegistryState second_ = WithPending(first_, 2);
  RegistryState third_ = WithPending(second_, 3);
};

TEST_F(RegistryStoreTest, FindsNothingInAnEmptyDirectory) {
  const auto store = Open();
  EXPECT_FALSE(store->Load(FixtureIdentity()).has_value());
  EXPECT_FALSE(store->current().has_value());
}

TEST_F(RegistryStoreTest, LoadsWhatItSaved) {
  const auto store = Open();
  ASSERT_FALSE(store->Load(FixtureIdentity()).has_value());
  ASSERT_TRUE(store->Save(first_).has_value());
  ASSERT_TRUE(store->Save(second_).has_value());
  EXPECT_TRUE(store->HoldsCurrent());

  const auto again = Open();
  ASSERT_FALSE(again->Load(FixtureIdentity()).has_value());
  EXPECT_EQ(again->current(), second_);
}

TEST_F(RegistryStoreTest, RefusesACheckpointWithoutState) {
  WriteCheckpoint(first_);
  ExpectFault(RegistryFault::kRolledBack);
}

TEST_F(RegistryStoreTest, WritesTheCheckpointThatIsMissing) {
  WriteState(second_);
  ASSERT_FALSE(LoadFresh().has_value());
  EXPECT_EQ(dir_.Read("reg.json.checkpoint"), SerializeCheckpoint(CheckpointOf(second_)));
}

TEST_F(RegistryStoreTest, AdvancesTheCheckpointOverOneLinkedGeneration) {
  WriteState(second_);
  WriteCheckpoint(first_);
  ASSERT_FALSE(LoadFresh().has_value());
  EXPECT_EQ(dir_.Read("reg.json.checkpoint"), SerializeCheckpoint(CheckpointOf(second_)));
}

TEST_F(RegistryStoreTest, WritesNothingAsAReader) {
  WriteState(second_);
  WriteCheckpoint(first_);
  ops_.FailAt(0, FaultyFileOps::After::kIsDead);
  const auto directory = StateDirectory::Open(ops_, dir_.File("reg.json"));
  ASSERT_TRUE(directory.has_value());
  EXPECT_TRUE(ReadLocalRegistry(*directory, dir_.File("reg.json"), FixtureIdentity()).state);
  EXPECT_EQ(ops_.count(), 0U);
}

TEST_F(RegistryStoreTest, RefusesAnOlderState) {
  WriteState(first_);
  WriteCheckpoint(second_);
  ExpectFault(RegistryFault::kRolledBack);
}

TEST_F(RegistryStoreTest, RefusesAStateThatSkipsAGeneration) {
  WriteState(third_);
  WriteCheckpoint(first_);
  ExpectFault(RegistryFault::kRolledBack);
}

TEST_F(RegistryStoreTest, RefusesAnUnlinkedStateOfTheSameOrTheNextGeneration) {
  auto contents = second_.contents();
  contents.records[0].observed_at_unix += 1;
  const RegistryState unlinked_same = RegistryState::Create(contents).value();
  WriteState(unlinked_same);
  WriteCheckpoint(second_);
  ExpectFault(RegistryFault::kRolledBack);

  WriteState(WithPending(unlinked_same, 3));
  ExpectFault(RegistryFault::kRolledBack);
}

TEST_F(RegistryStoreTest, RefusesEveryTruncationOfEitherFile) {
  const std::string state = SerializeState(second_);
  const std::string checkpoint = SerializeCheckpoint(CheckpointOf(second_));
  for (std::size_t size = 0; size + 1 < state.size(); size += 7) {
    SCOPED_TRACE(size);
    dir_.Write("reg.json", state.substr(0, size));
    dir_.Write("reg.json.checkpoint", checkpoint);
    ExpectFault(RegistryFault::kCorrupt);
  }
  WriteState(second_);
  for (std::size_t size = 0; size + 2 < checkpoint.size(); ++size) {
    SCOPED_TRACE(size);
    dir_.Write("reg.json.checkpoint", checkpoint.substr(0, size));
    ExpectFault(RegistryFault::kCorrupt);
  }
}

TEST_F(RegistryStoreTest, RefusesAStateOfAnotherConfiguration) {
  WriteState(first_);
  WriteCheckpoint(first_);
  auto other = FixtureIdentity();
  other.transit_key_name = "another-key";
  const auto problem = Open()->Load(other);
  ASSERT_TRUE(problem.has_value());
  EXPECT_EQ(problem->fault, RegistryFault::kForeign);
  const std::string text = Describe(*problem);
  EXPECT_THAT(text, HasSubstr("reg.json was written for another identity (file "));
  EXPECT_THAT(text, HasSubstr(std::string(first_.contents().identity_fingerprint.text()) +
                              ", configuration " +
                              std::string(contract::Fingerprint(other)->text()) + "); check "));
}

TEST_F(RegistryStoreTest, SaysNothingAboutTheProgramItself) {
  dir_.Write("reg.json", "{}");
  dir_.Write("reg.json.checkpoint", "{}");
  const std::string text = Describe(*LoadFresh());
  EXPECT_THAT(text, HasSubstr("is corrupt: checkpoint is incomplete or of another schema; run "));
  EXPECT_THAT(text, Not(HasSubstr(".cc:")));
  EXPECT_THAT(text, Not(HasSubstr("invalid-argument")));
}

TEST_F(RegistryStoreTest, RefusesFilesThatOthersCouldHaveWritten) {
  dir_.Write("reg.json", SerializeState(first_), 0660);
  EXPECT_THAT(Describe(*LoadFresh()),
              HasSubstr("reg.json cannot be read (mode 0660, at most 0640 is allowed); check owner "
                        "and mode"));
  ExpectFault(RegistryFault::kUnreadable);
}

TEST_F(RegistryStoreTest, SaysSoWhenTheCheckpointCannotBeAdvanced) {
  WriteState(first_);
  ops_.FailAt(2, FaultyFileOps::After::kGoesOn);
  ExpectFault(RegistryFault::kNotWritable);
}

TEST_F(RegistryStoreTest, WritesFilesOfTheOtherImplementationByteForByte) {
  const auto store = Open();
  ASSERT_FALSE(store->Load(FixtureIdentity()).has_value());
  for (const std::string name : {"initial", "rotated"}) {
    SCOPED_TRACE(name);
    const std::string path = "computed/state-" + name + ".v1alpha2.json";
    ASSERT_TRUE(store->Save(FixtureState(path)).has_value());
    EXPECT_EQ(dir_.Read("reg.json"), ReadFixture(path));
    EXPECT_EQ(dir_.Read("reg.json.checkpoint"), ReadFixture(path + ".checkpoint"));
  }
}

TEST_F(RegistryStoreTest, LoadsFilesOfTheOtherImplementationAndLeavesThemAlone) {
  for (const std::string name : {"initial", "rotated", "removed"}) {
    SCOPED_TRACE(name);
    const std::string path = "computed/state-" + name + ".v1alpha2.json";
    dir_.Write("reg.json", ReadFixture(path));
    dir_.Write("reg.json.checkpoint", ReadFixture(path + ".checkpoint"));
    // The fixtures carry a placeholder for a fingerprint: everything else about them is accepted.
    ExpectFault(RegistryFault::kForeign);
    EXPECT_EQ(dir_.Read("reg.json"), ReadFixture(path));
    EXPECT_EQ(dir_.Read("reg.json.checkpoint"), ReadFixture(path + ".checkpoint"));
    EXPECT_EQ(SerializeState(FixtureState(path)), ReadFixture(path));
  }
}

TEST_F(RegistryStoreTest, TakesOverAFileWhateverItsSpacing) {
  std::string spaced = SerializeState(second_);
  spaced.insert(1, "\n\n\t ");
  dir_.Write("reg.json", spaced + "\n \n");
  WriteCheckpoint(second_);
  const auto store = Open();
  ASSERT_FALSE(store->Load(FixtureIdentity()).has_value());
  EXPECT_EQ(store->current(), second_);
  EXPECT_TRUE(store->HoldsCurrent());
}

TEST_F(RegistryStoreTest, SavesOnlyWhatMayFollow) {
  const auto store = Open();
  ASSERT_FALSE(store->Load(FixtureIdentity()).has_value());
  EXPECT_FALSE(store->Save(second_).has_value());
  ASSERT_TRUE(store->Save(first_).has_value());
  EXPECT_FALSE(store->Save(third_).has_value());
  EXPECT_FALSE(store->Save(first_).has_value());
  EXPECT_FALSE(store->unfinished().has_value());
  EXPECT_EQ(store->current(), first_);
}

// Every operation of a save failing in turn, at the first state and later.
class FailedSaveTest : public RegistryStoreTest {
 protected:
  // Operations of one whole save.
  std::size_t CountOperations() {
    const auto store = Open();
    EXPECT_FALSE(store->Load(FixtureIdentity()).has_value());
    ops_.FailAt(FaultyFileOps::kNever, FaultyFileOps::After::kGoesOn);
    EXPECT_TRUE(store->Save(first_).has_value());
    return ops_.count();
  }

  void Clear() {
    ops_.FailAt(FaultyFileOps::kNever, FaultyFileOps::After::kGoesOn);
    ::unlink(dir_.File("reg.json").c_str());
    ::unlink(dir_.File("reg.json.checkpoint").c_str());
  }

  std::size_t operations_ = CountOperations();
};

TEST_F(FailedSaveTest, IsFinishedByTheNextAttemptAtBootstrap) {
  for (std::size_t i = 0; i < operations_; ++i) {
    SCOPED_TRACE(i);
    Clear();
    const auto store = Open();
    ASSERT_FALSE(store->Load(FixtureIdentity()).has_value());
    ops_.FailAt(i, FaultyFileOps::After::kGoesOn);
    ASSERT_FALSE(store->Save(first_).has_value());
    EXPECT_FALSE(store->current().has_value());
    EXPECT_EQ(store->unfinished(), first_);
    ASSERT_TRUE(store->FinishSave().has_value());
    EXPECT_EQ(store->current(), first_);
    EXPECT_FALSE(store->unfinished().has_value());
    EXPECT_FALSE(LoadFresh().has_value());
  }
}

TEST_F(FailedSaveTest, IsFinishedByTheNextAttemptLater) {
  for (std::size_t i = 0; i < operations_; ++i) {
    SCOPED_TRACE(i);
    Clear();
    const auto store = Open();
    ASSERT_FALSE(store->Load(FixtureIdentity()).has_value());
    ASSERT_TRUE(store->Save(first_).has_value());
    ops_.FailAt(i, FaultyFileOps::After::kGoesOn);
    ASSERT_FALSE(store->Save(second_).has_value());
    EXPECT_EQ(store->current(), first_);
    EXPECT_FALSE(store->Save(second_).has_value()) << "a second save must finish the first";
    ASSERT_TRUE(store->FinishSave().has_value());
    EXPECT_EQ(store->current(), second_);
    EXPECT_TRUE(store->HoldsCurrent());
  }
}

TEST_F(FailedSaveTest, LoadsAfterAKillAtAnyOperation) {
  for (std::size_t i = 0; i <= operations_; ++i) {
    SCOPED_TRACE(i);
    Clear();
    const auto store = Open();
    ASSERT_FALSE(store->Load(FixtureIdentity()).has_value());
    ASSERT_TRUE(store->Save(first_).has_value());
    ops_.FailAt(i, FaultyFileOps::After::kIsDead);
    const bool saved = store->Save(second_).has_value();
    EXPECT_EQ(saved, i == operations_);
    ops_.FailAt(FaultyFileOps::kNever, FaultyFileOps::After::kGoesOn);
    const auto restarted = Open();
    ASSERT_FALSE(restarted->Load(FixtureIdentity()).has_value());
    EXPECT_TRUE(restarted->current() == second_ || (!saved && restarted->current() == first_));
  }
}

TEST_F(FailedSaveTest, KnowsWhetherTheOldStateIsStillOnDisk) {
  Clear();
  const auto store = Open();
  ASSERT_FALSE(store->Load(FixtureIdentity()).has_value());
  ASSERT_TRUE(store->Save(first_).has_value());
  ops_.FailAt(3, FaultyFileOps::After::kGoesOn);  // before the rename
  ASSERT_FALSE(store->Save(second_).has_value());
  EXPECT_TRUE(store->HoldsCurrent());
  ops_.FailAt(7, FaultyFileOps::After::kGoesOn);  // the directory's fsync after the rename
  ASSERT_FALSE(store->FinishSave().has_value());
  EXPECT_FALSE(store->HoldsCurrent());
}

TEST_F(FailedSaveTest, IsNotFinishedOverFilesThatSomebodyElseChanged) {
  Clear();
  const auto store = Open();
  ASSERT_FALSE(store->Load(FixtureIdentity()).has_value());
  ASSERT_TRUE(store->Save(first_).has_value());
  ops_.FailAt(1, FaultyFileOps::After::kGoesOn);
  ASSERT_FALSE(store->Save(second_).has_value());

  WriteState(third_);
  EXPECT_FALSE(store->FinishSave().has_value());
  EXPECT_EQ(dir_.Read("reg.json"), SerializeState(third_));
  WriteState(first_);
  WriteCheckpoint(third_);
  EXPECT_FALSE(store->FinishSave().has_value());
  ::unlink(dir_.File("reg.json.checkpoint").c_str());
  EXPECT_FALSE(store->FinishSave().has_value());
  WriteCheckpoint(first_);
  EXPECT_TRUE(store->FinishSave().has_value());
}

}  // namespace
}  // namespace baokms::supervisor
