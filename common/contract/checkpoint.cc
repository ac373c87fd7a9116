#include "common/contract/checkpoint.h"

#include <array>
#include <utility>

#include "common/contract/go_json.h"
#include "common/contract/json_members.h"
#include "common/contract/json_reader.h"
#include "common/contract/limits.h"

namespace baokms::contract {
namespace {

constexpr std::string_view kSchema = "keyregistry.openbao-kms/checkpoint/v1alpha1";

struct RawCheckpoint {
  std::string schema;
  std::uint64_t generation = 0;
  std::string current_hash;
};

constexpr std::array<JsonMember<RawCheckpoint>, 3> kMembers = {{
    {"schemaVersion", &RawCheckpoint::schema},
    {"generation", &RawCheckpoint::generation},
    {"currentHash", &RawCheckpoint::current_hash},
}};

// The document is one flat object.
class CheckpointEvents final : public JsonEvents {
 public:
  bool BeginObject() override { return !std::exchange(begun_, true); }

  bool EndObject() override { return true; }

  bool BeginArray() override { return false; }

  bool EndArray() override { return false; }

  bool Key(std::string_view name) override { return members_.Key(name); }

  bool Text(std::string value) override { return members_.Text(checkpoint_, std::move(value)); }

  bool Number(std::uint64_t value) override { return members_.Number(checkpoint_, value); }

  [[nodiscard]] bool Complete() const { return members_.Complete(); }

  [[nodiscard]] const RawCheckpoint& checkpoint() const { return checkpoint_; }

 private:
  bool begun_ = false;
  RawCheckpoint checkpoint_;
  MemberReader<RawCheckpoint> members_{kMembers};
};

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
  CheckpointEvents events;
  BAOKMS_TRY(ReadStrictJson(text, kMaxCheckpointFileBytes, events));
  const RawCheckpoint& raw = events.checkpoint();
  if (!events.Complete() || raw.schema != kSchema || raw.generation == 0) {
    return Error(ErrorCode::kInvalidArgument, "checkpoint is incomplete or of another schema");
  }
  const StateHash hash = BAOKMS_TRY(StateHash::Parse(raw.current_hash));
  return Checkpoint{.generation = raw.generation, .current_hash = hash};
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
