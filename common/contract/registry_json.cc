#include "common/contract/registry_json.h"

#include <array>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "common/contract/encoding.h"
#include "common/contract/go_json.h"
#include "common/contract/invalid.h"
#include "common/contract/json_members.h"
#include "common/contract/json_reader.h"
#include "common/contract/limits.h"

namespace baokms::contract {
namespace {

constexpr std::string_view kSchema = "keyregistry.openbao-kms/v1alpha2";
constexpr std::string_view kLegacySchema = "keyregistry.openbao-kms/v1alpha1";
constexpr std::string_view kAadMode = "aad.required";
constexpr std::string_view kRecordsName = "snapshots";

// Writing. The order of the calls is the order in the file.

void WriteRecord(GoJsonWriter& json, const KeyRecord& record) {
  json.BeginObject();
  json.Text("providerName", record.identity.provider_name);
  json.Text("clusterId", record.identity.cluster_id);
  json.Text("openbaoInstanceId", record.identity.instance_id);
  json.TextUnlessEmpty("openbaoNamespace", record.identity.namespace_path);
  json.Text("transitMountId", record.identity.transit_mount_id);
  json.Text("transitKeyLineageId", record.identity.key_lineage_id);
  json.Number("transitVersion", record.version.number);
  json.Number("transitVersionCreatedAtUnix", record.version.created_at_unix);
  json.Text("kubernetesKeyId", record.key_id.text());
  json.Text("state", ToString(record.state));
  json.Text("aadMode", kAadMode);
  json.NumberUnlessZero("observedAtUnix", record.observed_at_unix);
  json.NumberUnlessZero("stableObservationCount", record.stable_observation_count);
  json.NumberUnlessZero("stableAtUnix", record.stable_at_unix);
  json.NumberUnlessZero("promotedAtUnix", record.promoted_at_unix);
  json.EndObject();
}

// What one schema begins with: v1alpha1 has no fingerprint.
struct Heading {
  std::string_view schema;
  std::string_view fingerprint;
};

Heading CurrentHeading(const RegistryContents& contents) {
  return {.schema = kSchema, .fingerprint = contents.identity_fingerprint.text()};
}

// `current_hash` is empty in the text that it is the hash of.
std::string Write(GoJsonWriter::Style style,
                  const Heading& heading,
                  const RegistryContents& contents,
                  std::string_view current_hash) {
  GoJsonWriter json(style);
  json.BeginObject();
  json.Text("schemaVersion", heading.schema);
  json.TextUnlessEmpty("identityFingerprint", heading.fingerprint);
  json.Number("generation", contents.generation);
  if (contents.previous_hash) {
    json.Text("previousHash", contents.previous_hash->text());
  }
  json.TextUnlessEmpty("currentHash", current_hash);
  json.Text("activeKeyId", contents.active_key_id.text());
  json.BeginArray(kRecordsName);
  for (const KeyRecord& record : contents.records) {
    WriteRecord(json, record);
  }
  json.EndArray();
  json.EndObject();
  return std::move(json).Take();
}

// Reading: first into plain structs, then into types that can not be wrong.

struct RawRecord {
  std::string provider_name;
  std::string cluster_id;
  std::string instance_id;
  std::string namespace_path;
  std::string transit_mount_id;
  std::string key_lineage_id;
  std::uint64_t version = 0;
  std::uint64_t created_at_unix = 0;
  std::string key_id;
  std::string state;
  std::string aad_mode;
  std::uint64_t observed_at_unix = 0;
  std::uint64_t stable_observation_count = 0;
  std::uint64_t stable_at_unix = 0;
  std::uint64_t promoted_at_unix = 0;
};

struct RawState {
  std::string schema;
  std::string identity_fingerprint;
  std::uint64_t generation = 0;
  std::string previous_hash;
  std::string current_hash;
  std::string active_key_id;
};

constexpr auto kOptional = Presence::kOmittedWhenEmpty;

constexpr std::array<JsonMember<RawRecord>, 15> kRecordMembers = {{
    {"providerName", &RawRecord::provider_name},
    {"clusterId", &RawRecord::cluster_id},
    {"openbaoInstanceId", &RawRecord::instance_id},
    {"openbaoNamespace", &RawRecord::namespace_path, kOptional},
    {"transitMountId", &RawRecord::transit_mount_id},
    {"transitKeyLineageId", &RawRecord::key_lineage_id},
    {"transitVersion", &RawRecord::version},
    {"transitVersionCreatedAtUnix", &RawRecord::created_at_unix},
    {"kubernetesKeyId", &RawRecord::key_id},
    {"state", &RawRecord::state},
    {"aadMode", &RawRecord::aad_mode},
    {"observedAtUnix", &RawRecord::observed_at_unix, kOptional},
    {"stableObservationCount", &RawRecord::stable_observation_count, kOptional},
    {"stableAtUnix", &RawRecord::stable_at_unix, kOptional},
    {"promotedAtUnix", &RawRecord::promoted_at_unix, kOptional},
}};

constexpr std::array<JsonMember<RawState>, 6> kStateMembers = {{
    {"identityFingerprint", &RawState::identity_fingerprint},
    {"schemaVersion", &RawState::schema},
    {"generation", &RawState::generation},
    {"previousHash", &RawState::previous_hash, kOptional},
    {"currentHash", &RawState::current_hash},
    {"activeKeyId", &RawState::active_key_id},
}};

// The older schema is the same without the fingerprint.
constexpr std::span<const JsonMember<RawState>> kLegacyStateMembers =
    std::span(kStateMembers).subspan<1>();

// Takes the document apart: one object, whose member "snapshots" is an array of flat objects.
class StateEvents final : public JsonEvents {
 public:
  explicit StateEvents(std::span<const JsonMember<RawState>> members) : state_members_(members) {}

  bool BeginObject() override {
    if (at_ == At::kStart) {
      at_ = At::kState;
      return true;
    }
    if (at_ != At::kRecords || records_.size() == kMaxKeyRecords) {
      return false;
    }
    records_.emplace_back();
    record_members_ = MemberReader<RawRecord>(kRecordMembers);
    at_ = At::kRecord;
    return true;
  }

  bool EndObject() override {
    if (at_ == At::kRecord) {
      at_ = At::kRecords;
      return record_members_.Complete();
    }
    at_ = At::kEnd;
    return true;
  }

  bool BeginArray() override {
    const bool expected = at_ == At::kRecordsKey;
    at_ = At::kRecords;
    return expected;
  }

  bool EndArray() override {
    at_ = At::kState;
    return true;
  }

  bool Key(std::string_view name) override {
    if (at_ == At::kRecord) {
      return record_members_.Key(name);
    }
    if (name != kRecordsName) {
      return state_members_.Key(name);
    }
    at_ = At::kRecordsKey;
    return !std::exchange(has_records_, true);
  }

  bool Text(std::string value) override {
    return at_ == At::kRecord  ? record_members_.Text(records_.back(), std::move(value))
           : at_ == At::kState ? state_members_.Text(state_, std::move(value))
                               : false;
  }

  bool Number(std::uint64_t value) override {
    return at_ == At::kRecord  ? record_members_.Number(records_.back(), value)
           : at_ == At::kState ? state_members_.Number(state_, value)
                               : false;
  }

  [[nodiscard]] bool Complete() const { return at_ == At::kEnd && state_members_.Complete(); }

  [[nodiscard]] const RawState& state() const { return state_; }

  [[nodiscard]] std::vector<RawRecord>& records() { return records_; }

 private:
  enum class At : std::uint8_t { kStart, kState, kRecordsKey, kRecords, kRecord, kEnd };

  At at_ = At::kStart;
  bool has_records_ = false;
  RawState state_;
  std::vector<RawRecord> records_;
  MemberReader<RawState> state_members_;
  MemberReader<RawRecord> record_members_{kRecordMembers};
};

Result<std::int64_t> ToSigned(std::uint64_t value) {
  if (value > static_cast<std::uint64_t>(kMaxInteger)) {
    return Invalid("number in the state file exceeds 63 bits");
  }
  return static_cast<std::int64_t>(value);
}

Result<KeyRecord> ToRecord(RawRecord raw) {
  const auto state = ParseRecordState(raw.state);
  if (!state || raw.aad_mode != kAadMode) {
    return Invalid("record has an unknown state or AAD mode");
  }
  const KeyId key_id = BAOKMS_TRY(KeyId::Parse(raw.key_id));
  KeyRecord record{.identity = {.provider_name = std::move(raw.provider_name),
                                .cluster_id = std::move(raw.cluster_id),
                                .instance_id = std::move(raw.instance_id),
                                .namespace_path = std::move(raw.namespace_path),
                                .transit_mount_id = std::move(raw.transit_mount_id),
                                .key_lineage_id = std::move(raw.key_lineage_id)},
                   .version = {},
                   .key_id = key_id,
                   .state = *state};
  record.version.number = BAOKMS_TRY(ToSigned(raw.version));
  record.version.created_at_unix = BAOKMS_TRY(ToSigned(raw.created_at_unix));
  record.observed_at_unix = BAOKMS_TRY(ToSigned(raw.observed_at_unix));
  record.stable_observation_count = BAOKMS_TRY(ToSigned(raw.stable_observation_count));
  record.stable_at_unix = BAOKMS_TRY(ToSigned(raw.stable_at_unix));
  record.promoted_at_unix = BAOKMS_TRY(ToSigned(raw.promoted_at_unix));
  return record;
}

Result<RegistryContents> ToContents(StateEvents& events, const IdentityFingerprint& fingerprint) {
  const RawState& raw = events.state();
  std::vector<KeyRecord> records;
  for (RawRecord& record : events.records()) {
    records.push_back(BAOKMS_TRY(ToRecord(std::move(record))));
  }
  std::optional<StateHash> previous;
  if (!raw.previous_hash.empty()) {
    previous = BAOKMS_TRY(StateHash::Parse(raw.previous_hash));
  }
  const auto active = BAOKMS_TRY(KeyId::Parse(raw.active_key_id));
  return RegistryContents{.identity_fingerprint = fingerprint,
                          .generation = raw.generation,
                          .previous_hash = previous,
                          .active_key_id = active,
                          .records = std::move(records)};
}

}  // namespace

std::string HashBody(const RegistryContents& contents) {
  return Write(GoJsonWriter::Style::kCompact, CurrentHeading(contents), contents, "");
}

StateHash HashContents(const RegistryContents& contents) {
  return StateHash::FromDigest(Sha256(AsBytes(HashBody(contents))));
}

std::string SerializeState(const RegistryState& state) {
  return Write(GoJsonWriter::Style::kIndented, CurrentHeading(state.contents()), state.contents(),
               state.current_hash().text()) +
         "\n";
}

Result<RegistryState> ParseState(std::string_view text) {
  StateEvents events(kStateMembers);
  BAOKMS_TRY(ReadStrictJson(text, kMaxStateFileBytes, events));
  if (events.state().schema != kSchema) {
    return Invalid("state file is not of schema v1alpha2");
  }
  if (!events.Complete()) {
    return Invalid("state file lacks a member");
  }
  const auto fingerprint =
      BAOKMS_TRY(IdentityFingerprint::Parse(events.state().identity_fingerprint));
  const StateHash stored = BAOKMS_TRY(StateHash::Parse(events.state().current_hash));
  RegistryContents contents = BAOKMS_TRY(ToContents(events, fingerprint));
  RegistryState state = BAOKMS_TRY(RegistryState::Create(std::move(contents)));
  if (!(state.current_hash() == stored)) {
    return Invalid("state file does not have the hash it claims");
  }
  return state;
}

Result<LegacyState> ParseLegacyState(std::string_view text, const IdentityFingerprint& bound_to) {
  StateEvents events(kLegacyStateMembers);
  BAOKMS_TRY(ReadStrictJson(text, kMaxStateFileBytes, events));
  if (events.state().schema != kLegacySchema) {
    return Invalid("state file is not of schema v1alpha1");
  }
  if (!events.Complete()) {
    return Invalid("state file lacks a member");
  }
  const StateHash stored = BAOKMS_TRY(StateHash::Parse(events.state().current_hash));
  RegistryContents contents = BAOKMS_TRY(ToContents(events, bound_to));
  // For its rules; its hash is of the new schema.
  (void)BAOKMS_TRY(RegistryState::Create(contents));
  const std::string body = Write(GoJsonWriter::Style::kCompact,
                                 {.schema = kLegacySchema, .fingerprint = {}}, contents, "");
  if (!(StateHash::FromDigest(Sha256(AsBytes(body))) == stored)) {
    return Invalid("state file does not have the hash it claims");
  }
  return LegacyState{.contents = std::move(contents), .current_hash = stored};
}

}  // namespace baokms::contract
