#include "common/contract/key_profile.h"

#include <algorithm>
#include <array>

#include "common/contract/limits.h"

namespace baokms::contract {
namespace {

constexpr std::string_view kSupportedType = "aes256-gcm96";
constexpr std::string_view kSafety = "cryptographic_safety";
constexpr std::string_view kAvailability = "api_server_availability";

struct Rule {
  ProfileFinding finding;
  bool (*violated)(const TransitKeyMetadata&) = nullptr;
};

using Metadata = const TransitKeyMetadata&;

constexpr std::array kRules = {
    Rule{{"unsupported_type", kSafety, "key type is not aes256-gcm96"},
         [](Metadata m) {
           return m.type != kSupportedType;
         }},
    Rule{{"exportable", kSafety, "key material export is enabled"},
         [](Metadata m) {
           return m.exportable;
         }},
    Rule{{"plaintext_backup", kSafety, "plaintext backup is enabled"},
         [](Metadata m) {
           return m.allow_plaintext_backup;
         }},
    Rule{{"deletion_allowed", kAvailability, "key deletion is allowed"},
         [](Metadata m) {
           return m.deletion_allowed;
         }},
    Rule{{"derived", kSafety,
          "the key is derived, which cannot be undone: create another key and change "
          "transit.keyName"},
         [](Metadata m) {
           return m.derived;
         }},
    Rule{{"convergent", kSafety, "convergent encryption is enabled"},
         [](Metadata m) {
           return m.convergent_encryption;
         }},
    Rule{{"min_encryption_version", kAvailability,
          "minimum encryption version blocks latest version"},
         [](Metadata m) {
           return m.min_encryption_version > 0 && m.min_encryption_version > m.latest_version;
         }},
    Rule{{"min_decryption_version", kAvailability,
          "minimum decryption version exceeds latest version"},
         [](Metadata m) {
           return m.min_decryption_version > m.latest_version;
         }},
    Rule{{"encryption_unsupported", kAvailability, "key does not support encryption"},
         [](Metadata m) {
           return !m.supports_encryption;
         }},
    Rule{{"decryption_unsupported", kAvailability, "key does not support decryption"},
         [](Metadata m) {
           return !m.supports_decryption;
         }},
};

constexpr Error Unusable(Literal what) {
  return Error(ErrorCode::kFailedPrecondition, what);
}

}  // namespace

Status CheckVersionBounds(const TransitKeyMetadata& metadata) {
  if (metadata.latest_version < 1) {
    return Unusable("key has no latest version");
  }
  if (metadata.min_available_version < 0) {
    return Unusable("minimum available version is negative");
  }
  if (metadata.soft_deleted) {
    return Unusable("key is soft deleted");
  }
  if (metadata.min_available_version > metadata.latest_version) {
    return Unusable("minimum available version exceeds latest version");
  }
  return {};
}

std::vector<ProfileFinding> FindProfileProblems(const TransitKeyMetadata& metadata) {
  std::vector<ProfileFinding> findings;
  for (const Rule& rule : kRules) {
    if (rule.violated(metadata)) {
      findings.push_back(rule.finding);
    }
  }
  return findings;
}

Status CheckVersionEntries(const TransitKeyMetadata& metadata) {
  if (metadata.versions.size() > kMaxListedVersions) {
    return Error(ErrorCode::kResourceExhausted, "key has too many versions");
  }
  std::vector<std::int64_t> numbers;
  for (const KeyVersion& version : metadata.versions) {
    if (version.number < 1 || version.number > metadata.latest_version) {
      return Unusable("key version is out of range");
    }
    if (version.created_at_unix <= 0) {
      return Unusable("key version has no creation time");
    }
    numbers.push_back(version.number);
  }
  std::ranges::sort(numbers);
  if (std::ranges::adjacent_find(numbers) != numbers.end()) {
    return Unusable("key version is listed twice");
  }
  if (numbers.empty() || numbers.back() != metadata.latest_version) {
    return Unusable("latest key version is not listed");
  }
  return {};
}

std::string FormatFindings(std::span<const ProfileFinding> findings) {
  std::string text;
  for (const ProfileFinding& finding : findings) {
    text.append(text.empty() ? "blocking/" : "; blocking/");
    text.append(finding.impact).append(": ").append(finding.message);
  }
  return text;
}

Result<std::int64_t> CreationTime(const TransitKeyMetadata& metadata, std::int64_t number) {
  const auto found = std::ranges::find(metadata.versions, number, &KeyVersion::number);
  if (found == metadata.versions.end()) {
    return Error(ErrorCode::kNotFound, "key version is not in the metadata");
  }
  return found->created_at_unix;
}

}  // namespace baokms::contract
