#include "common/contract/first_state.h"

namespace baokms::contract {
namespace {

// Whole seconds since 1970. An earlier time means that the clock is wrong.
constexpr std::int64_t kFirstSecond = 1;

}  // namespace

Result<RegistryState> BuildFirstState(const ConfigIdentity& identity,
                                      const TransitKeyMetadata& metadata,
                                      std::int64_t now_unix) {
  if (metadata.latest_version != 1 || metadata.min_available_version > 1 ||
      metadata.min_decryption_version > 1) {
    return Error(ErrorCode::kFailedPrecondition, "key was rotated but there is no state file");
  }
  if (now_unix < kFirstSecond) {
    return Error(ErrorCode::kFailedPrecondition, "system clock is before 1970");
  }
  const auto fingerprint = BAOKMS_TRY(Fingerprint(identity));
  const KeyVersion version{.number = 1, .created_at_unix = BAOKMS_TRY(CreationTime(metadata, 1))};
  const KeyId key_id = BAOKMS_TRY(DeriveKeyId(identity.key, version));
  const KeyRecord record{.identity = identity.key,
                         .version = version,
                         .key_id = key_id,
                         .state = RecordState::kActive,
                         .observed_at_unix = now_unix,
                         .promoted_at_unix = now_unix};
  return RegistryState::Create({.identity_fingerprint = fingerprint,
                                .generation = 1,
                                .previous_hash = {},
                                .active_key_id = key_id,
                                .records = {record}});
}

}  // namespace baokms::contract
