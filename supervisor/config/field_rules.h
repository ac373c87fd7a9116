// What one value has to look like, by the rule of its row in schema_table.h.
//
// Knows one value at a time: relations between keys are in relations.h.

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "supervisor/config/schema_table.h"

namespace baokms::supervisor {

// Both answer with what is wrong, never repeating the value, or with nothing.
std::optional<std::string> CheckText(const Rule& rule, std::string_view text);
std::optional<std::string> CheckNumber(const Rule& rule, std::int64_t value);

// The rule in words for the reference; empty when there is none.
std::string DescribeRule(const Rule& rule);

// A pattern for the JSON Schema, for the rules that one can hold; else empty.
std::string_view RulePattern(RuleKind kind);

// "${CREDENTIALS_DIRECTORY}/": where systemd puts a service's credentials.
inline constexpr std::string_view kCredentialPrefix = "${CREDENTIALS_DIRECTORY}/";

}  // namespace baokms::supervisor
