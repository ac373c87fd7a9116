// The commands that write, on real files; only OpenBao's answer is made up.

#include <sys/stat.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "common/contract/registry_json.h"
#include "supervisor/config/load.h"
#include "supervisor/registry/registry_store.h"
#include "supervisor/registry/state_lock.h"
#include "supervisor/state_commands/recovery_commands.h"
#include "supervisor/state_commands/version_commands.h"
#include "tests/supervisor/registry/test_directory.h"
#include "tests/supervisor/status/rotation_fixture.h"

namespace baokms::supervisor {
namespace {

using contract::RecordState;
using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kStateName = "key-registry.json";
constexpr const char* kCheckpoint = "key-registry.json.checkpoint";

struct Done {
  json facts;
  std::string failure;
};

// Every command with a directory of its own, for the identity of the published files.
class StateChangesTest : public testing::Test {
 protected:
  StateChangesTest() {
    const contract::ConfigIdentity identity = FixtureIdentity();
    options_.config = DefaultConfig();
    options_.config.state.path = directory_.File(kStateName);
    options_.config.openbao.instance_id = identity.key.instance_id;
    options_.config.transit.mount_path = identity.transit_mount_path;
    options_.config.transit.key_name = identity.transit_key_name;
    auto& scope = options_.config.transit.key_id_scope;
    scope.provider_name = identity.key.provider_name;
    scope.cluster_id = identity.key.cluster_id;
    scope.transit_mount_id = identity.key.transit_mount_id;
    scope.key_lineage_id = identity.key.key_lineage_id;
  }

  void SetLatest(std::int64_t latest) { live_ = {.metadata = Metadata(latest), .failure = {}}; }

  void Store(const contract::RegistryState& state) {
    directory_.Write(kStateName, contract::SerializeState(state));
    directory_.Write(kCheckpoint, contract::SerializeCheckpoint(contract::CheckpointOf(state)));
  }

  template <typename Options>
  Done Run(CommandResult (*command)(const CommandHost&, const Options&), const Options& options) {
    const ReadLiveKey read = [this](const ServeOptions&) {
      ++questions_;
      return live_;
    };
    const CommandResult result = command({.options = options_, .read_live_key = read}, options);
    return {json::parse(result.report.ToJson()), result.failure};
  }

  std::map<std::string, std::string> Files() {
    std::map<std::string, std::string> files;
    for (const char* name : {kStateName, kCheckpoint}) {
      if (directory_.Has(name)) {
        files[name] = directory_.Read(name);
      }
    }
    return files;
  }

  // What a provider finds at its next start.
  contract::RegistryState Loaded() {
    SystemFileOps ops;
    RegistryStore store(StateDirectory::Open(ops, options_.config.state.path).value(),
                        options_.config.state.path);
    const auto problem = store.Load(FixtureIdentity());
    EXPECT_FALSE(problem.has_value()) << Describe(*problem);
    return store.current().value();
  }

  static ReviewedHash Hash(const json& facts, const char* member) {
    return contract::StateHash::Parse(facts[member].get<std::string>()).value();
  }

  TestDirectory directory_;
  ServeOptions options_;
  LiveKey live_{.metadata = {}, .failure = "nobody is there"};
  int questions_ = 0;
};

contract::RegistryState RotatedState() {
  return Registry({MakeRecord(3, RecordState::kActive), MakeRecord(2, RecordState::kRetired),
                   MakeRecord(1, RecordState::kRetired)});
}

TEST_F(StateChangesTest, RetiringIsPlannedAndThenWrittenAsPlanned) {
  Store(RotatedState());
  SetLatest(3);
  const auto before = Files();
  const Done plan = Run(RunRetireVersions, RetireOptions{.before_version = 3});
  EXPECT_EQ(plan.failure, "");
  EXPECT_EQ(plan.facts["applied"], false);
  EXPECT_EQ(plan.facts["removedVersions"].size(), 2U);
  EXPECT_EQ(Files(), before);
  const Done done =
      Run(RunRetireVersions,
          RetireOptions{.before_version = 3, .reviewed = Hash(plan.facts, "stateHash")});
  EXPECT_EQ(done.failure, "");
  EXPECT_EQ(done.facts["applied"], true);
  EXPECT_EQ(Shape(Loaded()), "3a 2x 1x");
  EXPECT_EQ(std::string(Loaded().current_hash().text()),
            plan.facts["nextStateHash"].get<std::string>());
}

TEST_F(StateChangesTest, NothingIsWrittenWhenAnyCheckFails) {
  Store(RotatedState());
  const auto before = Files();
  const ReviewedHash current = RotatedState().current_hash();
  const ReviewedHash other = FirstState().current_hash();
  const auto refused = [&](const RetireOptions& options) {
    const Done done = Run(RunRetireVersions, options);
    EXPECT_NE(done.failure, "");
    EXPECT_EQ(done.facts["applied"], false);
    EXPECT_EQ(Files(), before);
  };
  refused({.before_version = 3, .reviewed = current});  // OpenBao does not answer
  SetLatest(3);
  refused({.before_version = 3, .reviewed = other});
  refused({.before_version = 4, .reviewed = current});
  SetLatest(2);
  refused({.before_version = 3, .reviewed = current});  // rolled back
  SetLatest(3);
  live_.metadata->min_decryption_version = 2;
  refused({.before_version = 1, .reviewed = current});
  live_.metadata->versions[2].created_at_unix += 1;
  refused({.before_version = 3, .reviewed = current});  // another key
}

TEST_F(StateChangesTest, SaysWhenTheOtherHashOfThePlanWasGiven) {
  Store(RotatedState());
  SetLatest(3);
  const Done plan = Run(RunRetireVersions, RetireOptions{.before_version = 3});
  EXPECT_EQ(Run(RunRetireVersions,
                RetireOptions{.before_version = 3, .reviewed = Hash(plan.facts, "nextStateHash")})
                .failure,
            "--expected-state-hash is the plan's nextStateHash: give its stateHash");
  directory_.Remove(kStateName);
  EXPECT_EQ(Run(RunRecoverState, RecoverOptions{.expected_active_key_id_hash = {},
                                                .reviewed = RotatedState().current_hash()})
                .failure,
            "--expected-state-hash is the hash of the state before the change: give the plan's "
            "nextStateHash");
}

TEST_F(StateChangesTest, RetiringRepairsAMinimumThatWasRaisedTooEarly) {
  Store(RotatedState());
  SetLatest(3);
  live_.metadata->min_decryption_version = 3;
  const Done done =
      Run(RunRetireVersions,
          RetireOptions{.before_version = 3, .reviewed = RotatedState().current_hash()});
  EXPECT_EQ(done.failure, "");
  EXPECT_EQ(Shape(Loaded()), "3a 2x 1x");
}

TEST_F(StateChangesTest, RestoringWantsTheVersionsToBeUsable) {
  Store(Registry({MakeRecord(2, RecordState::kActive), MakeRecord(1, RecordState::kRemoved)}));
  SetLatest(2);
  live_.metadata->min_decryption_version = 2;
  const auto before = Files();
  const Done refused = Run(RunRestoreVersions, RestoreOptions{.versions = {1}});
  EXPECT_THAT(refused.failure, HasSubstr("min_decryption_version"));
  EXPECT_EQ(Files(), before);
  live_.metadata->min_decryption_version = 1;
  const Done plan = Run(RunRestoreVersions, RestoreOptions{.versions = {1}});
  const Done done = Run(RunRestoreVersions,
                        RestoreOptions{.versions = {1}, .reviewed = Hash(plan.facts, "stateHash")});
  EXPECT_EQ(done.failure, "");
  EXPECT_EQ(Shape(Loaded()), "2a 1r");
}

TEST_F(StateChangesTest, ApplyingNeedsTheLockAndPlanningDoesNot) {
  Store(RotatedState());
  SetLatest(3);
  SystemFileOps ops;
  const auto directory = StateDirectory::Open(ops, options_.config.state.path).value();
  const auto lock = StateLock::Acquire(ops, directory).value();
  const auto before = Files();
  EXPECT_EQ(Run(RunRetireVersions, RetireOptions{.before_version = 2}).failure, "");
  const Done done =
      Run(RunRetireVersions,
          RetireOptions{.before_version = 2, .reviewed = RotatedState().current_hash()});
  EXPECT_THAT(done.failure, HasSubstr("locked by another process; stop the provider"));
  EXPECT_EQ(Files(), before);
}

TEST_F(StateChangesTest, AStaleCheckpointIsBroughtUpToDateBeforeTheStep) {
  const contract::RegistryState first = FirstState();
  const contract::RegistryState second = WithPending(first, 2);
  contract::RegistryContents contents = second.contents();
  contents.generation += 1;
  contents.previous_hash = second.current_hash();
  contents.records[0].state = RecordState::kRetired;
  contents.records[1].state = RecordState::kActive;
  contents.active_key_id = contents.records[1].key_id;
  const auto third = contract::RegistryState::Create(contents).value();
  directory_.Write(kStateName, contract::SerializeState(third));
  directory_.Write(kCheckpoint, contract::SerializeCheckpoint(contract::CheckpointOf(second)));
  SetLatest(2);
  const Done done =
      Run(RunRetireVersions, RetireOptions{.before_version = 2, .reviewed = third.current_hash()});
  EXPECT_EQ(done.failure, "");
  EXPECT_EQ(Loaded().contents().generation, 4U);
}

TEST_F(StateChangesTest, RecoveringRebuildsWhatIsLostFromMetadataAlone) {
  SetLatest(3);
  const Done plan = Run(RunRecoverState, RecoverOptions{});
  EXPECT_EQ(plan.failure, "");
  EXPECT_TRUE(Files().empty());
  RecoverOptions apply;
  apply.expected_active_key_id_hash = plan.facts["activeKeyIdHash"];
  apply.reviewed = Hash(plan.facts, "nextStateHash");
  EXPECT_EQ(Run(RunRecoverState, apply).failure, "");
  EXPECT_EQ(Shape(Loaded()), "3a 2r 1r");
  EXPECT_EQ(Loaded().active().key_id, RotatedState().active().key_id);
}

TEST_F(StateChangesTest, RecoveringStopsWhenOpenBaoHasMovedOnSinceThePlan) {
  SetLatest(2);
  const Done plan = Run(RunRecoverState, RecoverOptions{});
  SetLatest(3);
  RecoverOptions apply;
  apply.reviewed = Hash(plan.facts, "nextStateHash");
  EXPECT_THAT(Run(RunRecoverState, apply).failure, HasSubstr("--expected-state-hash"));
  EXPECT_TRUE(Files().empty());
}

TEST_F(StateChangesTest, RecoveringRefusesWhatIsNotLost) {
  SetLatest(3);
  Store(RotatedState());
  EXPECT_THAT(Run(RunRecoverState, RecoverOptions{}).failure, HasSubstr("nothing to recover"));
  directory_.Write(kStateName, "{}");
  EXPECT_THAT(Run(RunRecoverState, RecoverOptions{}).failure, HasSubstr("is corrupt"));
  EXPECT_EQ(questions_, 0);
}

TEST_F(StateChangesTest, RecoveringRefusesAKeyThatMustNotProtectACluster) {
  SetLatest(3);
  live_.metadata->exportable = true;
  EXPECT_THAT(Run(RunRecoverState, RecoverOptions{}).failure,
              HasSubstr("key material export is enabled"));
}

TEST_F(StateChangesTest, RecoveringFollowsACheckpointThatIsLeft) {
  SetLatest(3);
  directory_.Write(kCheckpoint,
                   contract::SerializeCheckpoint(contract::CheckpointOf(RotatedState())));
  const Done plan = Run(RunRecoverState, RecoverOptions{});
  RecoverOptions apply;
  apply.reviewed = Hash(plan.facts, "nextStateHash");
  EXPECT_EQ(Run(RunRecoverState, apply).failure, "");
  EXPECT_EQ(Loaded().contents().previous_hash, RotatedState().current_hash());
}

TEST_F(StateChangesTest, MigratingCarriesThePublishedFilesOver) {
  const std::map<std::string, std::int64_t> files = {
      {"keyregistry/state-initial-v1.json", 1},
      {"keyregistry/state-rotated-v1-v2.json", 2},
      {"keyregistry/state-removed-v1-active-v2.json", 2}};
  for (const auto& [name, latest] : files) {
    directory_.Write(kStateName, ReadFixture(name));
    SetLatest(latest);
    const Done plan = Run(RunMigrateState, MigrateOptions{});
    EXPECT_EQ(plan.failure, "") << name;
    EXPECT_EQ(directory_.Read(kStateName), ReadFixture(name));
    EXPECT_EQ(plan.facts["stateHash"], json::parse(ReadFixture(name))["currentHash"]);
    const Done done =
        Run(RunMigrateState, MigrateOptions{.reviewed = Hash(plan.facts, "nextStateHash")});
    EXPECT_EQ(done.failure, "") << name;
    EXPECT_EQ(Loaded().active().version.number, latest) << name;
    const Done again = Run(RunMigrateState, MigrateOptions{});
    EXPECT_EQ(again.failure, "") << name;
    EXPECT_EQ(again.facts["migrationNeeded"], false) << name;
    directory_.Remove(kCheckpoint);
  }
}

TEST_F(StateChangesTest, MigratingRefusesAFileThatItsCheckpointDoesNotKnow) {
  SetLatest(2);
  directory_.Write(kStateName, ReadFixture("keyregistry/state-rotated-v1-v2.json"));
  directory_.Write(kCheckpoint,
                   contract::SerializeCheckpoint(contract::CheckpointOf(RotatedState())));
  EXPECT_THAT(Run(RunMigrateState, MigrateOptions{}).failure,
              HasSubstr("checkpoint names a newer or another state"));
}

TEST_F(StateChangesTest, MigratingRefusesAnotherIdentity) {
  SetLatest(1);
  options_.config.transit.key_id_scope.cluster_id = "workload-b";
  directory_.Write(kStateName, ReadFixture("keyregistry/state-initial-v1.json"));
  EXPECT_THAT(Run(RunMigrateState, MigrateOptions{}).failure, HasSubstr("another identity"));
}

TEST_F(StateChangesTest, AnExportIsTheStateFileAndIsTakenOverElsewhere) {
  Store(RotatedState());
  SetLatest(3);
  const ExportOptions out{.output_file = directory_.File("exported")};
  const mode_t mask = ::umask(077);
  const Done exported = Run(RunExportState, out);
  ::umask(mask);
  EXPECT_EQ(exported.failure, "");
  EXPECT_EQ(questions_, 0);

  struct ::stat info {};

  ASSERT_EQ(::stat(out.output_file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640U);
  EXPECT_EQ(directory_.Read("exported"), directory_.Read(kStateName));
  EXPECT_EQ(Run(RunExportState, out).failure,
            "cannot write --output-file: the file already exists; choose a new name");
  ImportOptions in{.input_file = out.output_file};
  EXPECT_THAT(Run(RunImportState, in).failure, HasSubstr("usable registry"));
  directory_.Remove(kStateName);
  const Done plan = Run(RunImportState, in);
  EXPECT_EQ(plan.facts["nextStateHash"], exported.facts["stateHash"]);
  EXPECT_EQ(plan.facts["replaces"], "checkpoint without state");
  EXPECT_FALSE(directory_.Has(kStateName));
  in.reviewed = Hash(plan.facts, "nextStateHash");
  EXPECT_EQ(Run(RunImportState, in).failure, "");
  EXPECT_EQ(Loaded(), RotatedState());
}

TEST_F(StateChangesTest, ImportingRefusesWhatIsChangedForeignOrNoLongerInOpenBao) {
  const std::string good = contract::SerializeState(RotatedState());
  const ImportOptions in{.input_file = directory_.File("exported")};
  SetLatest(3);
  std::string changed = good;
  changed.replace(changed.find("\"retired\""), 9, "\"removed\"");
  directory_.Write("exported", changed);
  EXPECT_THAT(Run(RunImportState, in).failure, HasSubstr("hash it claims"));
  directory_.Write("exported", good);
  SetLatest(2);
  EXPECT_NE(Run(RunImportState, in).failure, "");
  SetLatest(3);
  EXPECT_EQ(Run(RunImportState, in).failure, "");
  options_.config.transit.key_name = "another";
  EXPECT_THAT(Run(RunImportState, in).failure,
              HasSubstr("written for another identity (file cfg1."));
  EXPECT_TRUE(Files().empty());
}

TEST_F(StateChangesTest, ADirectoryOthersMayWriteIsRefused) {
  Store(RotatedState());
  SetLatest(3);
  ASSERT_EQ(::chmod(directory_.path().c_str(), 0770), 0);
  EXPECT_THAT(Run(RunRetireVersions, RetireOptions{.before_version = 2}).failure,
              HasSubstr("may be written by group or others"));
}

}  // namespace
}  // namespace baokms::supervisor
