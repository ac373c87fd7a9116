// The identity of a key: the configured names that enter every key_id, and the fingerprint that
// ties a state directory to one configuration.
//
// Strings are used unchanged: no trimming, no case folding, no Unicode normalisation.

#pragma once

#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/contract/tagged_digest.h"

namespace baokms::contract {

// transit.keyIdScope with openbao.instanceId and openbao.namespace.
struct KeyIdentity {
  std::string provider_name;
  std::string cluster_id;
  std::string instance_id;
  std::string namespace_path;  // empty: the root namespace
  std::string transit_mount_id;
  std::string key_lineage_id;

  friend bool operator==(const KeyIdentity&, const KeyIdentity&) = default;
};

// A KeyIdentity and the location in OpenBao where this node finds the key.
struct ConfigIdentity {
  KeyIdentity key;
  std::string transit_mount_path;
  std::string transit_key_name;

  friend bool operator==(const ConfigIdentity&, const ConfigIdentity&) = default;
};

struct FingerprintTag {
  static constexpr std::string_view kPrefix = "cfg1.";
  static constexpr Literal kMalformed{"identity fingerprint is malformed"};
};

using IdentityFingerprint = TaggedDigest<FingerprintTag>;

// Rules for single values. All require valid UTF-8 of at most kMaxIdentityFieldBytes, without NUL,
// CR, LF or TAB, and without leading or trailing Unicode whitespace.

// Returns whether `text` is any other non-empty text.
bool IsIdentifier(std::string_view text);

// Returns whether `text` is empty, or segments joined by '/', none of them empty, "." or "..", and
// contains no '%'.
bool IsNamespacePath(std::string_view text);

// Returns whether `text` is a non-empty list of such segments without control characters.
bool IsMountPath(std::string_view text);

// Returns whether `text` matches [A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?, OpenBao's own rule.
bool IsTransitKeyName(std::string_view text);

// Checks every value; the error names the first invalid one.
Status Validate(const KeyIdentity& identity);
Status Validate(const ConfigIdentity& identity);

// Returns "cfg1." and the hash of the configured identity. Fails when Validate() does.
Result<IdentityFingerprint> Fingerprint(const ConfigIdentity& identity);

}  // namespace baokms::contract
