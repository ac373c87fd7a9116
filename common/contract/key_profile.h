// OpenBao's description of the Transit key, and the rules that decide whether the key may protect a
// cluster.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/contract/key_id.h"

namespace baokms::contract {

// The fields of the key metadata response. Every flag defaults to the value that is refused, so a
// reader that omits one makes the key unusable instead of trusted.
struct TransitKeyMetadata {
  std::string name;
  std::string type;
  std::int64_t latest_version = 0;
  std::int64_t min_available_version = 0;
  std::int64_t min_encryption_version = 0;
  std::int64_t min_decryption_version = 0;
  std::vector<KeyVersion> versions;  // `keys`, in any order
  bool derived = true;
  bool convergent_encryption = true;
  bool exportable = true;
  bool allow_plaintext_backup = true;
  bool deletion_allowed = true;
  bool imported_key = true;  // from here on: reported but not checked, except soft_deleted
  bool soft_deleted = true;
  bool supports_encryption = false;
  bool supports_decryption = false;
  bool supports_derivation = false;
  bool supports_signing = false;
  std::int64_t auto_rotate_period = 0;  // seconds; 0: never

  friend bool operator==(const TransitKeyMetadata&, const TransitKeyMetadata&) = default;
};

// A property of the key that blocks its use. All texts are constants.
struct ProfileFinding {
  std::string_view code;     // unsupported_type, exportable, ...
  std::string_view impact;   // cryptographic_safety or api_server_availability
  std::string_view message;  // for the operator

  friend bool operator==(const ProfileFinding&, const ProfileFinding&) = default;
};

// Checks that the version numbers are consistent. Call it before FindProfileProblems().
Status CheckVersionBounds(const TransitKeyMetadata& metadata);

// Returns every finding in the order of the contract's table; empty when the key may be used.
std::vector<ProfileFinding> FindProfileProblems(const TransitKeyMetadata& metadata);

// Checks that every version entry is in range, has a creation time and is unique, and that the
// latest version has an entry. Allows at most kMaxListedVersions entries. Call it after
// FindProfileProblems().
Status CheckVersionEntries(const TransitKeyMetadata& metadata);

// Returns "blocking/<impact>: <message>" for each finding, joined by "; ".
std::string FormatFindings(std::span<const ProfileFinding> findings);

// Returns the creation second of version `number`; kNotFound when the metadata does not list it.
Result<std::int64_t> CreationTime(const TransitKeyMetadata& metadata, std::int64_t number);

}  // namespace baokms::contract
