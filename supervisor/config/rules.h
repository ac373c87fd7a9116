// What a single value must look like. A rule is an object that a row of schema_table.h names; it
// checks, describes itself for the reference, and gives the JSON Schema its pattern.
//
// Rules know one value at a time: relations between keys are in relations.h. What also travels into
// a child is checked by common/setup/value_rules.h, which the child calls as well.

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace baokms::supervisor {

// Most entries of any list in the file; the longest real ones have a handful.
inline constexpr std::size_t kMaxListItems = 64;

// Longest text of any key: PATH_MAX, which is longer than any URL or name needs to be.
inline constexpr std::size_t kMaxTextBytes = 4096;

struct TextRule {
  // Fails with the rest of a sentence about the key, which never repeats the value.
  Status (*check)(std::string_view text);
  // In words, for the reference.
  std::string_view allowed;
  // For the JSON Schema, where a pattern can express the rule.
  std::string_view pattern{};
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
extern const TextRule kSocketMode;
extern const TextRule kSocketGroup;
extern const TextRule kListenAddress;
extern const TextRule kSpiffeSocket;
extern const TextRule kSpiffeId;
extern const TextRule kTokenLabel;
extern const TextRule kPkcs11Uri;
extern const TextRule kVariableName;
extern const TextRule kNoControl;

// A whole number, or each entry of a list of ids.
struct NumberRule {
  std::int64_t min;
  std::int64_t max;
};

// Durations: the smallest allowed one. Every duration is at most setup::kLongestTime.
enum class Least : std::uint8_t { kAny, kZero, kAboveZero };

// Nothing, or what is wrong: the rest of a sentence about the key.
using Finding = std::optional<std::string>;

Finding CheckRange(const NumberRule& rule, std::int64_t value);
Finding CheckDuration(Least least, std::int64_t nanoseconds);

// "${CREDENTIALS_DIRECTORY}/": where systemd puts a service's credentials.
inline constexpr std::string_view kCredentialPrefix = "${CREDENTIALS_DIRECTORY}/";

}  // namespace baokms::supervisor
