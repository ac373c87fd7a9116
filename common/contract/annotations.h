// The annotations that accompany every ciphertext, and the checks of those in requests.
//
// A Decrypt request is checked in the order CheckSealedLimits(), ParseAnnotations(),
// CompareAnnotations(); the key is looked up after the first. Nothing here is secret.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/contract/key_binding.h"
#include "common/contract/request_verdict.h"

namespace baokms::contract {

// One received entry of the map. The caller owns the text.
struct AnnotationView {
  std::string_view key;
  std::string_view value;
};

// One entry of the map to be sent. `key` is one of our constants.
struct Annotation {
  std::string_view key;
  std::string value;

  friend bool operator==(const Annotation&, const Annotation&) = default;
};

// The values of the annotations. The hashes are 43 characters each.
struct AnnotationFields {
  std::string key_id_hash;
  std::int64_t transit_version = 0;
  std::string mount_hash;
  std::string lineage_hash;
  std::string namespace_hash;  // empty when there is no namespace
  std::string plugin_version;  // informative, never compared

  friend bool operator==(const AnnotationFields&, const AnnotationFields&) = default;
};

// Builds the entries for data encrypted with `key`, in the order of the contract's table.
// `plugin_version` must be non-empty UTF-8.
Result<std::vector<Annotation>> BuildAnnotations(const KeyBinding& key,
                                                 std::string_view plugin_version);

// Builds the entries for `fields`; the inverse of ParseAnnotations().
std::vector<Annotation> EncodeAnnotations(const AnnotationFields& fields);

// Returns kInvalid for anything that is not UTF-8, then kLimit for 32768 bytes or more.
RequestVerdict CheckAnnotationLimits(std::span<const AnnotationView> annotations);

// Checks the sizes of a complete request to Decrypt: the ciphertext, then the key_id, then the
// annotations. Empty values are not checked here, because they have their own error texts. Returns
// kLimit, kInvalid (annotations that are not UTF-8) or kAccepted. Also applies to the response to
// Encrypt, which has the same limits.
RequestVerdict CheckSealedLimits(std::string_view ciphertext,
                                 std::string_view key_id,
                                 std::span<const AnnotationView> annotations);

// Parses the map. Unknown keys are ignored if they have the form of a domain name. Every failure
// corresponds to RequestVerdict::kInvalid, including a duplicate key.
Result<AnnotationFields> ParseAnnotations(std::span<const AnnotationView> annotations);

// Returns kAccepted when the annotations were made for `key`, and kMismatch otherwise.
RequestVerdict CompareAnnotations(const AnnotationFields& fields, const KeyBinding& key);

}  // namespace baokms::contract
