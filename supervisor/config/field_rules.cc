#include "supervisor/config/field_rules.h"

#include <sys/un.h>

#include <algorithm>
#include <array>

#include "common/contract/identity.h"
#include "common/contract/limits.h"
#include "supervisor/config/address.h"
#include "supervisor/config/number_text.h"
#include "supervisor/config/text_rules.h"

namespace baokms::supervisor {
namespace {

using Finding = std::optional<std::string>;

// 4294967295 is (gid_t)-1: "no change" to chown.
constexpr std::uint32_t kMaxGid = 4'294'967'294U;
// The longest variable that a PKCS#11 module is known to read has 27 characters.
constexpr std::size_t kMaxVariableName = 64;
constexpr std::size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::array<std::string_view, 2> kSocketRoots{"/run/openbao-kms", "/var/run/openbao-kms"};

// Whether a "/"-separated path has an empty, "." or ".." segment.
bool HasOddSegment(std::string_view path) {
  while (true) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, end);
    if (segment.empty() || segment == "." || segment == "..") {
      return true;
    }
    if (end == path.size()) {
      return false;
    }
    path.remove_prefix(end + 1);
  }
}

Finding CheckPlainText(std::string_view text) {
  return HasLineControl(text) ? Finding("must not hold NUL, CR, LF or TAB") : std::nullopt;
}

Finding CheckIdentifier(std::string_view text) {
  if (auto finding = CheckPlainText(text)) {
    return finding;
  }
  if (text.size() > contract::kMaxIdentityFieldBytes) {
    return "must not be longer than 1024 bytes";
  }
  return contract::IsIdentifier(text) ? std::nullopt
                                      : Finding("must not begin or end with white space");
}

Finding CheckMountPath(std::string_view text) {
  if (auto finding = CheckIdentifier(text)) {
    return finding;
  }
  return contract::IsMountPath(text)
             ? std::nullopt
             : Finding(
                   "must be a relative path without empty, \".\" or \"..\" parts, without a "
                   "slash at either end and without control characters");
}

Finding CheckNamespace(std::string_view text) {
  if (text.find('%') != std::string_view::npos) {
    return "must not hold \"%\"";
  }
  if (auto finding = CheckIdentifier(text)) {
    return finding;
  }
  return contract::IsNamespacePath(text)
             ? std::nullopt
             : Finding(
                   "must be a relative path without empty, \".\" or \"..\" parts and without "
                   "a slash at either end");
}

Finding CheckKeyName(std::string_view text) {
  return contract::IsTransitKeyName(text)
             ? std::nullopt
             : Finding(
                   "must be letters, digits, \"_\", \".\" and \"-\", not beginning or ending "
                   "with \".\" or \"-\"");
}

Finding CheckAbsolutePath(std::string_view text) {
  if (!text.starts_with('/')) {
    return "must be an absolute path";
  }
  return CheckPlainText(text);
}

Finding CheckCredentialPath(std::string_view text) {
  if (text.starts_with(kCredentialPrefix)) {
    return "needs CREDENTIALS_DIRECTORY in the environment and a plain file name after it";
  }
  return CheckAbsolutePath(text);
}

Finding CheckSocketPath(std::string_view text) {
  if (auto finding = CheckAbsolutePath(text)) {
    return finding;
  }
  if (text.size() > kMaxSocketPath) {
    return "must not be longer than 107 bytes";
  }
  const bool below = std::any_of(kSocketRoots.begin(), kSocketRoots.end(), [&](auto root) {
    return text.size() > root.size() + 1 && text.starts_with(root) && text[root.size()] == '/';
  });
  return below && !HasOddSegment(text.substr(1))
             ? std::nullopt
             : Finding("must be below /run/openbao-kms or /var/run/openbao-kms");
}

Finding CheckSocketMode(std::string_view text) {
  const auto mode = ParseOctal(text, 0777);
  if (!mode.has_value()) {
    return "must be an octal mode such as \"0660\"";
  }
  return (*mode & 0117U) != 0 ? Finding("must give nothing but read and write to owner and group")
                              : std::nullopt;
}

Finding CheckSocketGroup(std::string_view text) {
  const bool digits =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (digits && !ParseDecimal(text, kMaxGid).has_value()) {
    return "must be a group name or a decimal GID";
  }
  return CheckIdentifier(text);
}

Finding CheckScope(std::string_view text) {
  const bool ok = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c >= 0x21 && c <= 0x7e && c != '"' && c != '\\';
  });
  return ok ? std::nullopt
            : Finding("must be one scope: visible ASCII without quote and backslash");
}

Finding CheckChoice(std::string_view choices, std::string_view text) {
  const auto list = SplitChoices(choices);
  if (std::find(list.begin(), list.end(), text) != list.end()) {
    return std::nullopt;
  }
  std::string message = list.size() == 1 ? "must be " : "must be one of ";
  for (std::size_t i = 0; i < list.size(); ++i) {
    message.append(i == 0 ? "" : ", ").append(list[i]);
  }
  return message;
}

// As far as it concerns the supervisor, which has no PKCS#11 library: the agent reads the rest.
Finding CheckPkcs11Uri(std::string_view text) {
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (!text.starts_with("pkcs11:") || !printable) {
    return "must be a PKCS#11 URI: pkcs11:token=...;object=...";
  }
  if (text.find("pin-value") != std::string_view::npos) {
    return "must not hold the PIN: use pin-source or pinFile";
  }
  return std::nullopt;
}

// Variables that change how the agent itself is loaded, or what its libraries write and trust.
Finding CheckVariableName(std::string_view text) {
  const bool name = !text.empty() && text.size() <= kMaxVariableName &&
                    !(text.front() >= '0' && text.front() <= '9') &&
                    std::all_of(text.begin(), text.end(), [](char c) {
                      return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                             (c >= '0' && c <= '9') || c == '_';
                    });
  if (!name) {
    return "must be the name of an environment variable";
  }
  for (const std::string_view prefix :
       {"LD_", "GLIBC_", "MALLOC_", "OPENSSL_", "SSL", "CURL_", "TZ", "LC_"}) {
    if (text.starts_with(prefix)) {
      return "must not be a variable that the agent's own libraries read";
    }
  }
  return std::nullopt;
}

template <typename T>
Finding FromResult(const Result<T>& result) {
  return result.has_value() ? std::nullopt : Finding(std::string(result.error().what()));
}

}  // namespace

std::optional<std::string> CheckText(const Rule& rule, std::string_view text) {
  switch (rule.kind) {
    case RuleKind::kAny:
    case RuleKind::kRange:
    case RuleKind::kPositive:
    case RuleKind::kNotNegative:
      return std::nullopt;
    case RuleKind::kIdentifier:
      return CheckIdentifier(text);
    case RuleKind::kMountPath:
      return CheckMountPath(text);
    case RuleKind::kNamespace:
      return CheckNamespace(text);
    case RuleKind::kKeyName:
      return CheckKeyName(text);
    case RuleKind::kHttpsAddress:
      return FromResult(ParseHttpsAddress(text));
    case RuleKind::kTokenUrl:
      return FromResult(ParseTokenUrl(text));
    case RuleKind::kAbsoluteUri:
      return FromResult(CheckAbsoluteUri(text));
    case RuleKind::kScope:
      return CheckScope(text);
    case RuleKind::kAbsolutePath:
      return CheckAbsolutePath(text);
    case RuleKind::kCredentialPath:
      return CheckCredentialPath(text);
    case RuleKind::kSocketPath:
      return CheckSocketPath(text);
    case RuleKind::kSocketMode:
      return CheckSocketMode(text);
    case RuleKind::kSocketGroup:
      return CheckSocketGroup(text);
    case RuleKind::kListenAddress:
      return FromResult(ParseListenAddress(text));
    case RuleKind::kSpiffeSocket:
      return FromResult(CheckSpiffeSocket(text));
    case RuleKind::kSpiffeId:
      return FromResult(ParseSpiffeId(text));
    case RuleKind::kPkcs11Uri:
      return CheckPkcs11Uri(text);
    case RuleKind::kVariableName:
      return CheckVariableName(text);
    case RuleKind::kNoControl:
      return HasControl(text) ? Finding("must not hold control characters") : std::nullopt;
    case RuleKind::kOneOf:
      return CheckChoice(rule.choices, text);
  }
  return "has no rule";
}

std::optional<std::string> CheckNumber(const Rule& rule, std::int64_t value) {
  if (rule.kind == RuleKind::kRange && (value < rule.min || value > rule.max)) {
    return "must be from " + std::to_string(rule.min) + " to " + std::to_string(rule.max);
  }
  if (rule.kind == RuleKind::kPositive && value <= 0) {
    return "must be greater than 0";
  }
  if (rule.kind == RuleKind::kNotNegative && value < 0) {
    return "must not be negative";
  }
  return std::nullopt;
}

std::string_view RulePattern(RuleKind kind) {
  switch (kind) {
    case RuleKind::kSocketMode:
      return "^0[0-7]{3}$";
    case RuleKind::kKeyName:
      return "^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$";
    case RuleKind::kHttpsAddress:
    case RuleKind::kTokenUrl:
      return "^[Hh][Tt][Tt][Pp][Ss]://";
    default:
      return "";
  }
}

}  // namespace baokms::supervisor
