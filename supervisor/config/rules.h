// Rules for single values. A rule is an object that a row of schema_table.h refers to; it checks a
// value, describes itself for the reference and provides the JSON Schema's pattern.
//
// Rules see one value at a time: relations between keys are in relations.h. Values that are also
// sent to a child are checked by common/setup/value_rules.h, which the child uses as well.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace baokms::supervisor {

// Maximum number of entries of any list in the file; real lists have a handful.
inline constexpr std::size_t kMaxListItems = 64;

// Maximum length of any text: PATH_MAX, which is longer than any URL or name needs to be.
inline constexpr std::size_t kMaxTextBytes = 4096;

struct TextRule {
  // Returns an error whose message continues a sentence about the key and never repeats the value.
  Status (*check)(std::string_view text);
  // Describes the allowed values, for the reference.
  std::string_view allowed;
  // For the JSON Schema, if a pattern can express the rule.
  std::string_view pattern{};
  // Blank text means the same as none and is not checked.
  bool blank_is_none = false;
  // The text may begin with kCredentialPrefix, which is replaced when the file is loaded.
  bool may_be_credential = false;
};

extern const TextRule kIdentifier;
extern const TextRule kMountPath;
extern const TextRule kNamespace;
extern const TextRule kKeyName;
extern const TextRule kServerName;
extern const TextRule kHttpsAddress;
extern const TextRule kTokenUrl;
extern const TextRule kAbsoluteUri;
extern const TextRule kScope;
extern const TextRule kAbsolutePath;
extern const TextRule kCredentialPath;
extern const TextRule kSocketPath;
extern const TextRule kStatePath;
extern const TextRule kSocketMode;
extern const TextRule kSocketGroup;
extern const TextRule kUser;
extern const TextRule kUserOrNone;
extern const TextRule kListenAddress;
extern const TextRule kSpiffeSocket;
extern const TextRule kSpiffeId;
extern const TextRule kTokenLabel;
extern const TextRule kPkcs11Uri;
extern const TextRule kVariableName;
extern const TextRule kNoControl;

// The range of a whole number, or of each entry of a list of ids.
struct NumberRule {
  std::int64_t min;
  std::int64_t max;
};

// The smallest allowed duration. Every duration is at most setup::kMaxTime.
enum class Least : std::uint8_t { kAny, kZero, kAboveZero };

// What is wrong, as the rest of a sentence about the key, or nothing.
using Finding = std::optional<std::string>;

Finding CheckRange(const NumberRule& rule, std::int64_t value);
Finding CheckDuration(Least least, std::int64_t nanoseconds);

// "${CREDENTIALS_DIRECTORY}/": the directory in which systemd puts a service's credentials.
inline constexpr std::string_view kCredentialPrefix = "${CREDENTIALS_DIRECTORY}/";

// Returns the file name after kCredentialPrefix; empty if the text does not begin with it or if a
// plain file name does not follow.
[[nodiscard]] std::string_view CredentialName(std::string_view text);

}  // namespace baokms::supervisor
