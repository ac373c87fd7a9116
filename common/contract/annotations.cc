#include "common/contract/annotations.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/contract/encoding.h"
#include "common/contract/invalid.h"
#include "common/contract/limits.h"
#include "common/contract/utf8.h"

namespace baokms::contract {
namespace {

constexpr std::string_view kProviderKey = "provider.kms.openbao.org";
constexpr std::string_view kKeyIdHashKey = "key-id-hash.kms.openbao.org";
constexpr std::string_view kTransitVersionKey = "transit-key-version.kms.openbao.org";
constexpr std::string_view kMountHashKey = "transit-mount-hash.kms.openbao.org";
constexpr std::string_view kLineageHashKey = "transit-key-hash.kms.openbao.org";
constexpr std::string_view kNamespaceHashKey = "openbao-namespace-hash.kms.openbao.org";
constexpr std::string_view kPluginVersionKey = "plugin-version.kms.openbao.org";
constexpr std::string_view kAadVersionKey = "aad-version.kms.openbao.org";

constexpr std::string_view kProvider = "openbao-transit";
constexpr std::string_view kAadVersion = "v1";

bool IsLabel(std::string_view label) {
  return !label.empty() && label.size() <= kMaxAnnotationLabelBytes && label.front() != '-' &&
         label.back() != '-' && std::ranges::all_of(label, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

// A lower-case domain name of two labels or more.
bool IsAnnotationKey(std::string_view key) {
  if (key.size() > kMaxAnnotationKeyBytes || key.find('.') == std::string_view::npos) {
    return false;
  }
  for (std::size_t dot = key.find('.'); dot != std::string_view::npos; dot = key.find('.')) {
    if (!IsLabel(key.substr(0, dot))) {
      return false;
    }
    key.remove_prefix(dot + 1);
  }
  return IsLabel(key);
}

// Checks all keys before any value is examined, in the order of the contract.
Status CheckKeys(std::span<const AnnotationView> annotations) {
  if (annotations.empty()) {
    return Invalid("there are no annotations");
  }
  std::vector<std::string_view> keys;
  for (const AnnotationView& annotation : annotations) {
    if (!IsAnnotationKey(annotation.key)) {
      return Invalid("annotation key is not a domain name");
    }
    keys.push_back(annotation.key);
  }
  std::ranges::sort(keys);
  if (std::ranges::adjacent_find(keys) != keys.end()) {
    return Invalid("annotation key is repeated");
  }
  return {};
}

std::optional<std::string_view> Find(std::span<const AnnotationView> annotations,
                                     std::string_view key) {
  const auto found = std::ranges::find(annotations, key, &AnnotationView::key);
  return found == annotations.end() ? std::nullopt : std::optional(found->value);
}

Status RequireExact(std::span<const AnnotationView> annotations,
                    std::string_view key,
                    std::string_view expected) {
  if (Find(annotations, key) != expected) {
    return Invalid("fixed annotation is missing or different");
  }
  return {};
}

Result<std::string> RequireHash(std::span<const AnnotationView> annotations, std::string_view key) {
  const auto value = Find(annotations, key);
  if (!value || !IsEncodedDigest(*value)) {
    return Invalid("hash annotation is missing or malformed");
  }
  return std::string(*value);
}

Result<std::string> OptionalHash(std::span<const AnnotationView> annotations,
                                 std::string_view key) {
  if (!Find(annotations, key)) {
    return std::string();
  }
  return RequireHash(annotations, key);
}

Result<std::string> RequirePluginVersion(std::span<const AnnotationView> annotations) {
  const auto value = Find(annotations, kPluginVersionKey);
  if (!value || value->empty()) {
    return Invalid("plugin version annotation is missing or empty");
  }
  return std::string(*value);
}

}  // namespace

std::vector<Annotation> EncodeAnnotations(const AnnotationFields& fields) {
  std::vector<Annotation> annotations = {
      {kProviderKey, std::string(kProvider)},
      {kKeyIdHashKey, fields.key_id_hash},
      {kTransitVersionKey, std::to_string(fields.transit_version)},
      {kMountHashKey, fields.mount_hash},
      {kLineageHashKey, fields.lineage_hash},
  };
  if (!fields.namespace_hash.empty()) {
    annotations.push_back({kNamespaceHashKey, fields.namespace_hash});
  }
  annotations.push_back({kPluginVersionKey, fields.plugin_version});
  annotations.push_back({kAadVersionKey, std::string(kAadVersion)});
  return annotations;
}

Result<std::vector<Annotation>> BuildAnnotations(const KeyBinding& key,
                                                 std::string_view plugin_version) {
  if (plugin_version.empty() || !IsValidUtf8(plugin_version)) {
    return Invalid("plugin version is empty or not UTF-8");
  }
  return EncodeAnnotations({.key_id_hash = key.key_id_hash,
                            .transit_version = key.transit_version,
                            .mount_hash = key.mount_hash,
                            .lineage_hash = key.lineage_hash,
                            .namespace_hash = key.namespace_hash,
                            .plugin_version = std::string(plugin_version)});
}

RequestVerdict CheckAnnotationLimits(std::span<const AnnotationView> annotations) {
  std::size_t total = 0;
  for (const AnnotationView& annotation : annotations) {
    if (!IsValidUtf8(annotation.key) || !IsValidUtf8(annotation.value)) {
      return RequestVerdict::kInvalid;
    }
    total += annotation.key.size() + annotation.value.size();
  }
  return total <= kMaxAnnotationsBytes ? RequestVerdict::kAccepted : RequestVerdict::kLimit;
}

RequestVerdict CheckSealedLimits(std::string_view ciphertext,
                                 std::string_view key_id,
                                 std::span<const AnnotationView> annotations) {
  if (ciphertext.size() > kMaxCiphertextBytes || key_id.size() > kMaxKeyIdRequestBytes) {
    return RequestVerdict::kLimit;
  }
  return CheckAnnotationLimits(annotations);
}

Result<AnnotationFields> ParseAnnotations(std::span<const AnnotationView> annotations) {
  BAOKMS_TRY(CheckKeys(annotations));
  BAOKMS_TRY(RequireExact(annotations, kProviderKey, kProvider));
  AnnotationFields fields;
  fields.key_id_hash = BAOKMS_TRY(RequireHash(annotations, kKeyIdHashKey));
  fields.mount_hash = BAOKMS_TRY(RequireHash(annotations, kMountHashKey));
  fields.lineage_hash = BAOKMS_TRY(RequireHash(annotations, kLineageHashKey));
  fields.namespace_hash = BAOKMS_TRY(OptionalHash(annotations, kNamespaceHashKey));
  const std::string_view version = Find(annotations, kTransitVersionKey).value_or("");
  fields.transit_version = BAOKMS_TRY(ParsePositiveDecimal(version));
  fields.plugin_version = BAOKMS_TRY(RequirePluginVersion(annotations));
  BAOKMS_TRY(RequireExact(annotations, kAadVersionKey, kAadVersion));
  return fields;
}

RequestVerdict CompareAnnotations(const AnnotationFields& fields, const KeyBinding& key) {
  const bool same = fields.transit_version == key.transit_version &&
                    fields.key_id_hash == key.key_id_hash && fields.mount_hash == key.mount_hash &&
                    fields.lineage_hash == key.lineage_hash &&
                    fields.namespace_hash == key.namespace_hash;
  return same ? RequestVerdict::kAccepted : RequestVerdict::kMismatch;
}

}  // namespace baokms::contract
