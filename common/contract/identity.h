// Who a key belongs to: the configured names that go into every key_id, and the fingerprint that
// ties a state directory to one configuration.
//
// Strings are taken as they are: no trimming, no case folding, no Unicode normalisation.

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

// A KeyIdentity with the place in OpenBao where this node finds the key.
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

// The rules for single values. All want valid UTF-8 of at most kMaxIdentityFieldBytes, no NUL, CR,
// LF or TAB, and no Unicode whitespace at either end.

// Any other non-empty text.
bool IsIdentifier(std::string_view text);

// Empty, or segments joined by '/', none of them empty, "." or "..", and no '%'.
bool IsNamespacePath(std::string_view text);

// Segments as above, not empty, without control characters.
bool IsMountPath(std::string_view text);

// [A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?, which is OpenBao's own rule.
bool IsTransitKeyName(std::string_view text);

// Checks every value; the error names the first that is wrong.
Status Validate(const KeyIdentity& identity);
Status Validate(const ConfigIdentity& identity);

// "cfg1." and the hash of the configured identity. Fails when Validate() does.
Result<IdentityFingerprint> Fingerprint(const ConfigIdentity& identity);

}  // namespace baokms::contract
