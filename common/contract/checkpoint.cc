#include "common/contract/checkpoint.h"

#include <utility>

#include "common/contract/go_json.h"
#include "common/contract/json_reader.h"
#include "common/contract/limits.h"

namespace baokms::contract {
namespace {

constexpr std::string_view kSchema = "keyregistry.openbao-kms/checkpoint/v1alpha1";

bool Follows(const RegistryState& state, const Checkpoint& checkpoint) {
  return state.contents().generation - 1 == checkpoint.generation &&
         state.contents().previous_hash == checkpoint.current_hash;
}

}  // namespace

Checkpoint CheckpointOf(const RegistryState& state) {
  return {.generation = state.contents().generation, .current_hash = state.current_hash()};
}

std::string SerializeCheckpoint(const Checkpoint& checkpoint) {
  GoJsonWriter json(GoJsonWriter::Style::kIndented);
  json.BeginObject();
  json.Text("schemaVersion", kSchema);
  json.Number("generation", checkpoint.generation);
  json.Text("currentHash", checkpoint.current_hash.text());
  json.EndObject();
  return std::move(json).Take() + "\n";
}

Result<Checkpoint> ParseCheckpoint(std::string_view text) {
  std::string schema;
  std::string hash_text;
  std::uint64_t generation = 0;
  const Status read = ReadJson(
      text, {.max_bytes = kMaxCheckpointFileBytes, .max_members = kMaxFileMembers},
      {{"schemaVersion", &schema}, {"generation", &generation}, {"currentHash", &hash_text}});
  if (!read && read.error().code() != ErrorCode::kFailedPrecondition) {
    return read.error();
  }
  if (!read || schema != kSchema || generation == 0) {
    return Error(ErrorCode::kInvalidArgument, "checkpoint is incomplete or of another schema");
  }
  const StateHash hash = BAOKMS_TRY(StateHash::Parse(hash_text));
  return Checkpoint{.generation = generation, .current_hash = hash};
}

CheckpointVerdict CompareWithCheckpoint(const RegistryState* state, const Checkpoint* checkpoint) {
  if (state == nullptr) {
    return checkpoint == nullptr ? CheckpointVerdict::kNotFound : CheckpointVerdict::kRollback;
  }
  if (checkpoint == nullptr || Follows(*state, *checkpoint)) {
    return CheckpointVerdict::kWriteCheckpoint;
  }
  return CheckpointOf(*state) == *checkpoint ? CheckpointVerdict::kAccepted
                                             : CheckpointVerdict::kRollback;
}

}  // namespace baokms::contract
