// The annotations that travel with every ciphertext, and the checks on their way back.
//
// A Decrypt request is checked in the order CheckAnnotationLimits(), ParseAnnotations(),
// CompareAnnotations(); the key is looked up after the first. Nothing in here is secret.

#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/contract/key_binding.h"
#include "common/contract/verdict.h"

namespace baokms::contract {

// One entry of the map, as it came in. The caller owns the text.
struct AnnotationView {
  std::string_view key;
  std::string_view value;
};

// One entry of the map, as we write it. `key` is a constant of ours.
struct Annotation {
  std::string_view key;
  std::string value;

  friend bool operator==(const Annotation&, const Annotation&) = default;
};

// What the annotations say. The hashes are 43 characters each.
struct AnnotationFields {
  std::string key_id_hash;
  std::int64_t transit_version = 0;
  std::string mount_hash;
  std::string lineage_hash;
  std::string namespace_hash;  // empty when there is none
  std::string plugin_version;  // informative, never compared

  friend bool operator==(const AnnotationFields&, const AnnotationFields&) = default;
};

// The entries for data encrypted with `key`, in the order of the contract's table.
// `plugin_version` must be non-empty UTF-8.
Result<std::vector<Annotation>> BuildAnnotations(const KeyBinding& key,
                                                 std::string_view plugin_version);

// The entries for `fields`; the inverse of ParseAnnotations().
std::vector<Annotation> EncodeAnnotations(const AnnotationFields& fields);

// kInvalid for anything that is not UTF-8, then kLimit for 32768 bytes or more.
Verdict CheckAnnotationLimits(std::span<const AnnotationView> annotations);

// Reads the map. Unknown keys are ignored as long as they have the form of a domain name. Any
// failure is Verdict::kInvalid; a key that is there twice is one, too.
Result<AnnotationFields> ParseAnnotations(std::span<const AnnotationView> annotations);

// kAccepted when the annotations were made for `key`, else kMismatch.
Verdict CompareAnnotations(const AnnotationFields& fields, const KeyBinding& key);

}  // namespace baokms::contract
