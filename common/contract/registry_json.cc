#include "common/contract/registry_json.h"

#include <optional>
#include <utility>
#include <vector>

#include "common/contract/encoding.h"
#include "common/contract/go_json.h"
#include "common/contract/invalid.h"
#include "common/contract/json_reader.h"
#include "common/contract/limits.h"

namespace baokms::contract {
namespace {

constexpr std::string_view kSchema = "keyregistry.openbao-kms/v1alpha2";
constexpr std::string_view kLegacySchema = "keyregistry.openbao-kms/v1alpha1";
constexpr std::string_view kAadMode = "aad.required";
constexpr std::string_view kRecordsName = "snapshots";

// Writing. The order of the calls determines the order in the file.

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

// The first members of each schema; v1alpha1 has no fingerprint.
struct Heading {
  std::string_view schema;
  std::string_view fingerprint;
};

Heading CurrentHeading(const RegistryContents& contents) {
  return {.schema = kSchema, .fingerprint = contents.identity_fingerprint.text()};
}

// `current_hash` is empty in the text over which the hash is computed.
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

// Reading: first into plain structs, then into types that enforce their rules.

struct RawRecord {
  KeyIdentity identity;
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
  std::vector<RawRecord> records;
};

constexpr auto kOptional = Presence::kOmittedWhenEmpty;

std::vector<JsonMember> RecordMembers(RawRecord& record) {
  return {{"providerName", &record.identity.provider_name},
          {"clusterId", &record.identity.cluster_id},
          {"openbaoInstanceId", &record.identity.instance_id},
          {"openbaoNamespace", &record.identity.namespace_path, kOptional},
          {"transitMountId", &record.identity.transit_mount_id},
          {"transitKeyLineageId", &record.identity.key_lineage_id},
          {"transitVersion", &record.version},
          {"transitVersionCreatedAtUnix", &record.created_at_unix},
          {"kubernetesKeyId", &record.key_id},
          {"state", &record.state},
          {"aadMode", &record.aad_mode},
          {"observedAtUnix", &record.observed_at_unix, kOptional},
          {"stableObservationCount", &record.stable_observation_count, kOptional},
          {"stableAtUnix", &record.stable_at_unix, kOptional},
          {"promotedAtUnix", &record.promoted_at_unix, kOptional}};
}

// Reads a file of `schema`; the older schema lacks the fingerprint.
Result<RawState> ReadState(std::string_view text, std::string_view schema) {
  RawState state;
  std::vector<JsonMember> members = {
      {"schemaVersion", &state.schema},
      {"generation", &state.generation},
      {"previousHash", &state.previous_hash, kOptional},
      {"currentHash", &state.current_hash},
      {"activeKeyId", &state.active_key_id},
      {kRecordsName, JsonObjects{kMaxKeyRecords, [&state] {
                                   return RecordMembers(state.records.emplace_back());
                                 }}}};
  if (schema == kSchema) {
    members.push_back({"identityFingerprint", &state.identity_fingerprint});
  }
  const Status read =
      ReadJson(text, {.max_bytes = kMaxStateFileBytes, .max_members = kMaxFileMembers}, members);
  const bool is_incomplete = !read && read.error().code() == ErrorCode::kFailedPrecondition;
  if (!read && !is_incomplete) {
    return read.error();
  }
  if (state.schema != schema) {
    return schema == kSchema ? Invalid("state file is not of schema v1alpha2")
                             : Invalid("state file is not of schema v1alpha1");
  }
  if (is_incomplete) {
    return Invalid("state file lacks a member");
  }
  return state;
}

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
  KeyRecord record{
      .identity = std::move(raw.identity), .version = {}, .key_id = key_id, .state = *state};
  record.version.number = BAOKMS_TRY(ToSigned(raw.version));
  record.version.created_at_unix = BAOKMS_TRY(ToSigned(raw.created_at_unix));
  record.observed_at_unix = BAOKMS_TRY(ToSigned(raw.observed_at_unix));
  record.stable_observation_count = BAOKMS_TRY(ToSigned(raw.stable_observation_count));
  record.stable_at_unix = BAOKMS_TRY(ToSigned(raw.stable_at_unix));
  record.promoted_at_unix = BAOKMS_TRY(ToSigned(raw.promoted_at_unix));
  return record;
}

Result<RegistryContents> ToContents(RawState raw, const IdentityFingerprint& fingerprint) {
  std::vector<KeyRecord> records;
  for (RawRecord& record : raw.records) {
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
  RawState raw = BAOKMS_TRY(ReadState(text, kSchema));
  const auto fingerprint = BAOKMS_TRY(IdentityFingerprint::Parse(raw.identity_fingerprint));
  const StateHash stored = BAOKMS_TRY(StateHash::Parse(raw.current_hash));
  RegistryContents contents = BAOKMS_TRY(ToContents(std::move(raw), fingerprint));
  RegistryState state = BAOKMS_TRY(RegistryState::Create(std::move(contents)));
  if (!(state.current_hash() == stored)) {
    return Invalid("state file does not have the hash it claims");
  }
  return state;
}

Result<LegacyState> ParseLegacyState(std::string_view text, const IdentityFingerprint& bound_to) {
  RawState raw = BAOKMS_TRY(ReadState(text, kLegacySchema));
  const StateHash stored = BAOKMS_TRY(StateHash::Parse(raw.current_hash));
  RegistryContents contents = BAOKMS_TRY(ToContents(std::move(raw), bound_to));
  // Only to apply its rules; its hash is that of the new schema.
  (void)BAOKMS_TRY(RegistryState::Create(contents));
  const std::string body = Write(GoJsonWriter::Style::kCompact,
                                 {.schema = kLegacySchema, .fingerprint = {}}, contents, "");
  if (!(StateHash::FromDigest(Sha256(AsBytes(body))) == stored)) {
    return Invalid("state file does not have the hash it claims");
  }
  return LegacyState{.contents = std::move(contents), .current_hash = stored};
}

}  // namespace baokms::contract
