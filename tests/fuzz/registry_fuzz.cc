#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <fuzzer/FuzzedDataProvider.h>

#include "common/contract/checkpoint.h"
#include "common/contract/registry_json.h"
#include "tests/fuzz/require.h"

namespace {

using namespace baokms::contract;  // NOLINT(google-build-using-namespace): one file

void CheckFile(const RegistryState& state) {
  const std::string written = SerializeState(state);
  const auto again = ParseState(written);
  baokms::Require(again && *again == state, "a state survives its file");
  baokms::Require(SerializeState(*again) == written, "a state has one canonical file");
}

void CheckFile(const Checkpoint& checkpoint) {
  const std::string written = SerializeCheckpoint(checkpoint);
  const auto again = ParseCheckpoint(written);
  baokms::Require(again && *again == checkpoint, "a checkpoint survives its file");
  baokms::Require(SerializeCheckpoint(*again) == written, "a checkpoint has one canonical file");
}

// A record of random values; its key_id is right whenever the identity allows one.
KeyRecord AnyRecord(FuzzedDataProvider& input) {
  KeyRecord record{.identity = {.provider_name = input.ConsumeRandomLengthString(40),
                                .cluster_id = input.ConsumeRandomLengthString(40),
                                .instance_id = "bao",
                                .namespace_path = input.ConsumeRandomLengthString(20),
                                .transit_mount_id = "mount",
                                .key_lineage_id = "lineage"},
                   .version = {.number = input.ConsumeIntegral<std::int64_t>(),
                               .created_at_unix = input.ConsumeIntegral<std::int64_t>()},
                   .key_id = KeyId::FromDigest({}),
                   .state = static_cast<RecordState>(input.ConsumeIntegralInRange(0, 4)),
                   .observed_at_unix = input.ConsumeIntegral<std::int32_t>(),
                   .stable_observation_count = input.ConsumeIntegral<std::int8_t>(),
                   .stable_at_unix = input.ConsumeIntegral<std::int32_t>(),
                   .promoted_at_unix = input.ConsumeIntegral<std::int64_t>()};
  if (const auto key_id = DeriveKeyId(record.identity, record.version)) {
    record.key_id = *key_id;
  }
  return record;
}

// No mutation finds the hash of a changed file, so states are also made from their contents.
void CheckContents(FuzzedDataProvider& input) {
  RegistryContents contents{.identity_fingerprint = IdentityFingerprint::FromDigest({}),
                            .generation = input.ConsumeIntegral<std::uint64_t>(),
                            .previous_hash = {},
                            .active_key_id = KeyId::FromDigest({}),
                            .records = {}};
  if (input.ConsumeBool()) {
    contents.previous_hash = StateHash::FromDigest({});
  }
  while (input.remaining_bytes() > 0) {
    contents.records.push_back(AnyRecord(input));
    if (contents.records.back().state == RecordState::kActive) {
      contents.active_key_id = contents.records.back().key_id;
    }
  }
  if (const auto state = RegistryState::Create(std::move(contents))) {
    CheckFile(*state);
  }
}

}  // namespace

// A state file, a checkpoint, or the values of a state. Whatever parses says the same after it was
// written, and is then written in the same bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto state = ParseState(text)) {
    CheckFile(*state);
  }
  (void)ParseLegacyState(text, IdentityFingerprint::FromDigest({})).has_value();
  if (const auto checkpoint = ParseCheckpoint(text)) {
    CheckFile(*checkpoint);
  }
  FuzzedDataProvider input(data, size);
  CheckContents(input);
  return 0;
}
