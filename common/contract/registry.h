// The key registry: every version of the key that this node ever used, which one is active, and the
// hash chain over the generations.
//
// Every RegistryState object is valid. Nothing here is secret, and nothing reads or writes files.

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

// The hash of one generation of the registry.
using StateHash = TaggedDigest<StateHashTag>;

// The states in the order in which records are written.
enum class RecordState : std::uint8_t {
  kActive,    // encrypts and decrypts
  kPending,   // decrypts; becomes active next
  kRetired,   // decrypts
  kRejected,  // from older programs; never written, never decrypts
  kRemoved,   // removed by the operator; never decrypts
};

// Returns the text that the state file uses.
std::string_view ToString(RecordState state);
std::optional<RecordState> ParseRecordState(std::string_view text);

// Returns whether keys in this state decrypt.
bool Decrypts(RecordState state);

// One key version. The AAD mode is always `aad.required` and is not stored here: a state file with
// another mode does not parse. Times are Unix seconds, 0 when the event has not happened.
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

// The contents of one generation; the order of `records` is significant.
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

  // Returns the only record that encrypts.
  [[nodiscard]] const KeyRecord& active() const { return contents_.records[active_index_]; }

  // Returns the record of `key_id` in any state, or nullptr. The pointer is valid as long as this
  // object is.
  [[nodiscard]] const KeyRecord* Find(const KeyId& key_id) const;

  friend bool operator==(const RegistryState&, const RegistryState&) = default;

 private:
  RegistryState(RegistryContents contents, StateHash current_hash, std::size_t active_index)
      : contents_(std::move(contents)), current_hash_(current_hash), active_index_(active_index) {}

  RegistryContents contents_;
  StateHash current_hash_;
  std::size_t active_index_;
};

// Sorts records as the state machine writes them: by state, then version descending, then key_id
// ascending.
std::vector<KeyRecord> InWriteOrder(std::vector<KeyRecord> records);

// Checks that the state belongs to this configuration: equal fingerprint, and equal identity in
// every record.
Status CheckBelongsTo(const RegistryState& state, const ConfigIdentity& identity);

}  // namespace baokms::contract
