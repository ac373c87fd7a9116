// The rules in words, for the reference.

#include <string>

#include "supervisor/config/field_rules.h"

namespace baokms::supervisor {
namespace {

std::string DescribeRange(const Rule& rule) {
  // The largest int stands for "no upper limit".
  if (rule.max == 2'147'483'647) {
    return "at least " + std::to_string(rule.min);
  }
  return std::to_string(rule.min) + " to " + std::to_string(rule.max);
}

std::string DescribeChoices(std::string_view choices) {
  std::string text;
  for (const std::string_view choice : SplitChoices(choices)) {
    text.append(text.empty() ? "`" : ", `").append(choice).append("`");
  }
  return text;
}

}  // namespace

std::string DescribeRule(const Rule& rule) {
  switch (rule.kind) {
    case RuleKind::kAny:
      return "";
    case RuleKind::kIdentifier:
      return "no white space at either end; no NUL, CR, LF, TAB";
    case RuleKind::kMountPath:
      return "relative path, no empty, `.` or `..` part";
    case RuleKind::kNamespace:
      return "relative path, no empty, `.` or `..` part, no `%`";
    case RuleKind::kKeyName:
      return "`[A-Za-z0-9_.-]`, not beginning or ending with `.` or `-`";
    case RuleKind::kHttpsAddress:
      return "https URL; no user info, query, fragment";
    case RuleKind::kTokenUrl:
      return "https URL; no user info, fragment";
    case RuleKind::kAbsoluteUri:
      return "absolute URIs; no user info, fragment";
    case RuleKind::kScope:
      return "RFC 6749 scope tokens";
    case RuleKind::kAbsolutePath:
      return "absolute path";
    case RuleKind::kCredentialPath:
      return "absolute path, or `${CREDENTIALS_DIRECTORY}/name`";
    case RuleKind::kSocketPath:
      return "below `/run/openbao-kms` or `/var/run/openbao-kms`";
    case RuleKind::kSocketMode:
      return "octal; read and write for owner and group only";
    case RuleKind::kSocketGroup:
      return "group name or decimal GID";
    case RuleKind::kListenAddress:
      return "host:port; port 0: the kernel chooses";
    case RuleKind::kSpiffeSocket:
      return "`unix:///absolute/path`";
    case RuleKind::kSpiffeId:
      return "`spiffe://domain/path`";
    case RuleKind::kPkcs11Uri:
      return "`pkcs11:token=...;object=...`, no `pin-value`";
    case RuleKind::kVariableName:
      return "names; none that the agent's own libraries read (`LD_*`, `OPENSSL_*`, ...)";
    case RuleKind::kNoControl:
      return "no control characters";
    case RuleKind::kOneOf:
      return DescribeChoices(rule.choices);
    case RuleKind::kRange:
      return DescribeRange(rule);
    case RuleKind::kPositive:
      return "greater than 0";
    case RuleKind::kNotNegative:
      return "not negative";
  }
  return "";
}

}  // namespace baokms::supervisor
