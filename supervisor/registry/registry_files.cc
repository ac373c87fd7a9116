#include "supervisor/registry/registry_files.h"

#include "common/contract/limits.h"
#include "common/contract/registry_json.h"

namespace baokms::supervisor {

std::string CheckpointName(const StateDirectory& directory) {
  return directory.base_name() + ".checkpoint";
}

Result<std::optional<std::string>> ReadStateText(const StateDirectory& directory) {
  return directory.ReadFile(directory.base_name(), contract::kMaxStateFileBytes);
}

Result<std::optional<contract::RegistryState>> ReadState(const StateDirectory& directory) {
  const auto text = BAOKMS_TRY(ReadStateText(directory));
  if (!text) {
    return std::optional<contract::RegistryState>();
  }
  return std::optional(BAOKMS_TRY(contract::ParseState(*text)));
}

Result<std::optional<contract::Checkpoint>> ReadCheckpoint(const StateDirectory& directory) {
  const auto text =
      BAOKMS_TRY(directory.ReadFile(CheckpointName(directory), contract::kMaxCheckpointFileBytes));
  if (!text) {
    return std::optional<contract::Checkpoint>();
  }
  return std::optional(BAOKMS_TRY(contract::ParseCheckpoint(*text)));
}

Status WriteCheckpoint(const StateDirectory& directory, const contract::Checkpoint& checkpoint) {
  return directory.ReplaceFile(CheckpointName(directory),
                               contract::SerializeCheckpoint(checkpoint));
}

Status WriteRegistry(const StateDirectory& directory, const contract::RegistryState& state) {
  BAOKMS_TRY(directory.ReplaceFile(directory.base_name(), contract::SerializeState(state)));
  return WriteCheckpoint(directory, contract::CheckpointOf(state));
}

}  // namespace baokms::supervisor
