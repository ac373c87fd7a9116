// The key registry: every version of the key that this node ever used, which one is active, and the
// hash chain over its generations.
//
// A RegistryState that exists is valid. Nothing in here is secret, and nothing reads or writes
// files.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"
#include "common/contract/identity.h"
#include "common/contract/key_id.h"
#include "common/contract/tagged_digest.h"

namespace baokms::contract {

struct StateHashTag {
  static constexpr std::string_view kPrefix = "krs1.";
  static constexpr Literal kMalformed{"state hash is malformed"};
};

// Hash over one generation of the registry.
using StateHash = TaggedDigest<StateHashTag>;

// In the order in which records are written.
enum class RecordState : std::uint8_t {
  kActive,    // encrypts and decrypts
  kPending,   // decrypts; the next active one
  kRetired,   // decrypts
  kRejected,  // of older programs; never written, never decrypts
  kRemoved,   // taken out by the operator; never decrypts
};

// The text in the state file.
std::string_view ToString(RecordState state);
std::optional<RecordState> ParseRecordState(std::string_view text);

// True for the states whose keys decrypt.
bool Decrypts(RecordState state);

// One key version. The only AAD mode there is, `aad.required`, is not stored in here: a state file
// with another one does not parse. Times are Unix seconds, 0 when it did not happen.
struct KeyRecord {
  KeyIdentity identity;
  KeyVersion version;
  KeyId key_id;
  RecordState state;
  std::int64_t observed_at_unix = 0;
  std::int64_t stable_observation_count = 0;
  std::int64_t stable_at_unix = 0;
  std::int64_t promoted_at_unix = 0;

  friend bool operator==(const KeyRecord&, const KeyRecord&) = default;
};

// What a generation says; the order of `records` is part of it.
struct RegistryContents {
  IdentityFingerprint identity_fingerprint;
  std::uint64_t generation = 1;
  std::optional<StateHash> previous_hash;  // absent in the first generation
  KeyId active_key_id;
  std::vector<KeyRecord> records;

  friend bool operator==(const RegistryContents&, const RegistryContents&) = default;
};

// A validated generation and its hash.
class RegistryState {
 public:
  // Applies every rule for the contents of a state file and computes the hash.
  static Result<RegistryState> Create(RegistryContents contents);

  [[nodiscard]] const RegistryContents& contents() const { return contents_; }

  [[nodiscard]] const StateHash& current_hash() const { return current_hash_; }

  // The one record that encrypts.
  [[nodiscard]] const KeyRecord& active() const { return contents_.records[active_index_]; }

  // The record of `key_id` in whatever state, or nullptr. Lives as long as this object.
  [[nodiscard]] const KeyRecord* Find(const KeyId& key_id) const;

  friend bool operator==(const RegistryState&, const RegistryState&) = default;

 private:
  RegistryState(RegistryContents contents, StateHash current_hash, std::size_t active_index)
      : contents_(std::move(contents)), current_hash_(current_hash), active_index_(active_index) {}

  RegistryContents contents_;
  StateHash current_hash_;
  std::size_t active_index_;
};

// The order in which the state machine writes records: by state, then version descending, then
// key_id ascending.
std::vector<KeyRecord> InWriteOrder(std::vector<KeyRecord> records);

// The state belongs to this configuration: equal fingerprint, and equal identity in every record.
Status CheckBelongsTo(const RegistryState& state, const ConfigIdentity& identity);

}  // namespace baokms::contract
