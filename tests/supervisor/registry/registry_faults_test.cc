// Every single operation of a save and of a start failing in every way a disk has, also twice, also
// with the power cut after it: the next start must be right or refuse with a clear text.

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "common/contract/checkpoint.h"
#include "common/contract/registry_json.h"
#include "disk_model.h"
#include "faulty_file_ops.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "registry_fixture.h"
#include "supervisor/registry/registry_store.h"
#include "test_directory.h"

namespace baokms::supervisor {
namespace {

using contract::RegistryState;
using ::testing::AllOf;
using ::testing::HasSubstr;
using After = FaultyFileOps::After;

constexpr std::array kErrors = {EIO, ENOSPC, EROFS, EDQUOT};

class RegistryFaultsTest : public ::testing::Test {
 protected:
  static std::unique_ptr<RegistryStore> Open(FileOps& ops, const TestDirectory& dir) {
    return std::make_unique<RegistryStore>(StateDirectory::Open(ops, dir.File("reg.json")).value(),
                                           dir.File("reg.json"));
  }

  // A directory whose registry is first_.
  static void Prepare(const TestDirectory& dir) {
    FaultyFileOps ops;
    const auto store = Open(ops, dir);
    ASSERT_FALSE(store->Load(FixtureIdentity()).has_value());
    ASSERT_TRUE(store->Save(FirstState()).has_value());
  }

  // What a start with a sound disk finds.
  static std::optional<RegistryState> Restart(const TestDirectory& dir) {
    FaultyFileOps ops;
    const auto store = Open(ops, dir);
    const auto problem = store->Load(FixtureIdentity());
    EXPECT_FALSE(problem.has_value()) << Describe(*problem);
    return store->current();
  }

  static std::size_t OperationsOfASave() {
    TestDirectory dir;
    Prepare(dir);
    FaultyFileOps ops;
    const auto store = Open(ops, dir);
    EXPECT_FALSE(store->Load(FixtureIdentity()).has_value());
    ops.FailAt(FaultyFileOps::kNever, After::kGoesOn);
    EXPECT_TRUE(store->Save(WithPending(FirstState(), 2)).has_value());
    return ops.count();
  }

  const RegistryState first_ = FirstState();
  const RegistryState second_ = WithPending(first_, 2);
};

class EveryFaultTest : public RegistryFaultsTest, public ::testing::WithParamInterface<int> {};

TEST_P(EveryFaultTest, KeepsTheOldOrTheNewStateAndHeals) {
  const std::size_t operations = OperationsOfASave();
  ASSERT_GT(operations, 10U);
  for (std::size_t i = 0; i < operations; ++i) {
    for (const After after : {After::kGoesOn, After::kIsDead}) {
      SCOPED_TRACE(i);
      TestDirectory dir;
      Prepare(dir);
      FaultyFileOps ops;
      const auto store = Open(ops, dir);
      ASSERT_FALSE(store->Load(FixtureIdentity()).has_value());
      ops.FailAt(i, after, GetParam());
      const Status saved = store->Save(second_);
      ASSERT_FALSE(saved.has_value());
      EXPECT_EQ(saved.error().sys_errno(), GetParam());
      EXPECT_EQ(store->current(), first_);
      if (after == After::kIsDead) {
        const auto found = Restart(dir);
        EXPECT_TRUE(found == first_ || found == second_);
        continue;
      }
      ASSERT_TRUE(store->FinishSave().has_value());
      EXPECT_EQ(store->current(), second_);
      EXPECT_EQ(dir.Read("reg.json"), contract::SerializeState(second_));
      EXPECT_FALSE(dir.Has(".reg.json.tmp"));
      EXPECT_FALSE(dir.Has(".reg.json.checkpoint.tmp"));
      EXPECT_EQ(Restart(dir), second_);
    }
  }
}

// A process that died after its renames may have left names that are not durable yet.
TEST_P(EveryFaultTest, RefusesAStartThatCannotMakeTheFilesDurable) {
  TestDirectory dir;
  Prepare(dir);
  FaultyFileOps ops;
  ops.FailAt(0, After::kIsDead, GetParam());
  const auto store = Open(ops, dir);
  const auto problem = store->Load(FixtureIdentity());
  ASSERT_TRUE(problem.has_value());
  EXPECT_EQ(problem->fault, RegistryFault::kNotWritable);
  EXPECT_FALSE(store->current().has_value());
  ops.FailAt(FaultyFileOps::kNever, After::kGoesOn);
  EXPECT_FALSE(Open(ops, dir)->Load(FixtureIdentity()).has_value());
  EXPECT_EQ(ops.count(), 1U) << "a start with both files in order writes nothing";
}

TEST_P(EveryFaultTest, RefusesAStartThatMustWriteTheCheckpointWithAClearText) {
  TestDirectory dir;
  Prepare(dir);
  dir.Write("reg.json", contract::SerializeState(second_));
  const std::string before = dir.Read("reg.json.checkpoint");
  for (std::size_t i = 0;; ++i) {
    SCOPED_TRACE(i);
    FaultyFileOps ops;
    ops.FailAt(i, After::kIsDead, GetParam());
    const auto store = Open(ops, dir);
    const auto problem = store->Load(FixtureIdentity());
    if (!problem.has_value()) {
      EXPECT_GT(i, 4U);
      break;
    }
    EXPECT_EQ(problem->fault, RegistryFault::kNotWritable);
    EXPECT_THAT(Describe(*problem),
                AllOf(HasSubstr("reg.json.checkpoint"), HasSubstr(std::strerror(GetParam())),
                      HasSubstr("check free space")));
    dir.Write("reg.json.checkpoint", before);
  }
  EXPECT_EQ(Restart(dir), second_);
}

INSTANTIATE_TEST_SUITE_P(EveryError, EveryFaultTest, ::testing::ValuesIn(kErrors));

TEST_F(RegistryFaultsTest, KeepTheirPromiseWhenTheRepetitionFailsToo) {
  const std::size_t operations = OperationsOfASave();
  for (std::size_t i = 0; i < operations; ++i) {
    for (std::size_t k = 0; k < operations; ++k) {
      SCOPED_TRACE(testing::Message() << i << " then " << k);
      TestDirectory dir;
      Prepare(dir);
      FaultyFileOps ops;
      const auto store = Open(ops, dir);
      ASSERT_FALSE(store->Load(FixtureIdentity()).has_value());
      ops.FailAt(i, After::kGoesOn);
      ASSERT_FALSE(store->Save(second_).has_value());
      ops.FailAt(k, After::kGoesOn);
      const bool finished = store->FinishSave().has_value();
      EXPECT_EQ(store->current(), finished ? second_ : first_);
      ops.FailAt(FaultyFileOps::kNever, After::kGoesOn);
      ASSERT_TRUE(store->FinishSave().has_value());
      EXPECT_EQ(Restart(dir), second_);
    }
  }
}

// The record of a save with one failure and its repetition, cut at every point.
TEST_F(RegistryFaultsTest, AndAPowerCutAtAnyPointLeaveTheOldOrTheNewState) {
  const std::size_t operations = OperationsOfASave();
  for (std::size_t i = 0; i < operations; ++i) {
    TestDirectory dir;
    Prepare(dir);
    const DiskImage before = {{"reg.json", dir.Read("reg.json")},
                              {"reg.json.checkpoint", dir.Read("reg.json.checkpoint")}};
    FaultyFileOps faulty;
    RecordingFileOps ops(faulty);
    const auto store = Open(ops, dir);
    ASSERT_FALSE(store->Load(FixtureIdentity()).has_value());
    faulty.FailAt(i, After::kGoesOn);
    ASSERT_FALSE(store->Save(second_).has_value());
    ASSERT_TRUE(store->FinishSave().has_value());
    const std::span record(ops.record());
    for (std::size_t done = 0; done <= record.size(); ++done) {
      SCOPED_TRACE(testing::Message() << "failure at " << i << ", power cut after " << done);
      for (const DiskImage& image : AfterPowerCut(before, record.first(done))) {
        TestDirectory restored;
        for (const auto& [name, content] : image) {
          restored.Write(name, content);
        }
        const auto found = Restart(restored);
        ASSERT_TRUE(found == second_ || (found == first_ && done < record.size()));
      }
    }
  }
}

TEST_F(RegistryFaultsTest, ShortWritesAreContinued) {
  for (const std::size_t bytes : {1U, 7U, 100U}) {
    SCOPED_TRACE(bytes);
    TestDirectory dir;
    Prepare(dir);
    FaultyFileOps ops;
    ops.WriteAtMost(bytes);
    const auto store = Open(ops, dir);
    ASSERT_FALSE(store->Load(FixtureIdentity()).has_value());
    ASSERT_TRUE(store->Save(second_).has_value());
    EXPECT_EQ(dir.Read("reg.json"), contract::SerializeState(second_));
    EXPECT_EQ(Restart(dir), second_);
  }
}

TEST_F(RegistryFaultsTest, AWriteThatTakesNothingFailsInsteadOfGoingOnForEver) {
  TestDirectory dir;
  Prepare(dir);
  FaultyFileOps ops;
  ops.WriteAtMost(0);
  const auto store = Open(ops, dir);
  ASSERT_FALSE(store->Load(FixtureIdentity()).has_value());
  EXPECT_FALSE(store->Save(second_).has_value());
  EXPECT_EQ(Restart(dir), first_);
}

TEST_F(RegistryFaultsTest, AStartThatCannotReadRefusesWithTheFilesName) {
  TestDirectory dir;
  Prepare(dir);
  for (std::size_t i = 0;; ++i) {
    SCOPED_TRACE(i);
    FaultyFileOps ops;
    const auto store = Open(ops, dir);
    ops.FailLookAt(i);
    const auto problem = store->Load(FixtureIdentity());
    if (!problem.has_value()) {
      EXPECT_GT(i, 5U);
      break;
    }
    EXPECT_EQ(problem->fault, RegistryFault::kUnreadable);
    EXPECT_THAT(Describe(*problem),
                AllOf(HasSubstr(dir.File("reg.json")), HasSubstr(std::strerror(EIO))));
    EXPECT_FALSE(store->current().has_value()) << "nothing is believed of a half-read registry";
  }
}

}  // namespace
}  // namespace baokms::supervisor
