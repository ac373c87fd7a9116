#include "supervisor/registry/registry_files.h"

#include "common/contract/limits.h"
#include "common/contract/registry_json.h"

namespace baokms::supervisor {
namespace {

template <typename T>
Result<std::optional<T>> Parsed(const Result<std::optional<std::string>>& read,
                                Result<T> (*parse)(std::string_view)) {
  const auto& text = BAOKMS_TRY(read);
  return text ? std::optional<T>(BAOKMS_TRY(parse(*text))) : std::optional<T>();
}

}  // namespace

std::string CheckpointName(const StateDirectory& directory) {
  return directory.base_name() + ".checkpoint";
}

Result<std::optional<std::string>> ReadStateText(const StateDirectory& directory) {
  return directory.ReadFile(directory.base_name(), contract::kMaxStateFileBytes);
}

Result<std::optional<contract::RegistryState>> ReadState(const StateDirectory& directory) {
  return Parsed(ReadStateText(directory), contract::ParseState);
}

Result<std::optional<contract::Checkpoint>> ReadCheckpoint(const StateDirectory& directory) {
  return Parsed(directory.ReadFile(CheckpointName(directory), contract::kMaxCheckpointFileBytes),
                contract::ParseCheckpoint);
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
