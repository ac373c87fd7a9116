#include "supervisor/config/rules.h"

#include <sys/un.h>

#include <algorithm>
#include <array>
#include <climits>
#include <limits>

#include "common/setup/limits.h"
#include "common/setup/pkcs11_uri.h"
#include "common/setup/require.h"
#include "common/setup/url.h"
#include "common/setup/value_rules.h"
#include "supervisor/config/listen_address.h"
#include "supervisor/config/number_text.h"

namespace baokms::supervisor {
namespace {

// 4294967295 is (gid_t)-1, which chown(2) takes as "no change".
constexpr std::uint32_t kMaxGid = 4'294'967'294U;
// The longest variable that a PKCS #11 module is known to read has 27 characters.
constexpr std::size_t kMaxVariableName = 64;
constexpr std::size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;
// Leaves room for the longest name that is made from it, that of a checkpoint being written.
constexpr std::size_t kMaxStateName = NAME_MAX - std::string_view(".checkpoint.tmp").size();
constexpr std::array<std::string_view, 2> kSocketRoots{"/run/openbao-kms/",
                                                       "/var/run/openbao-kms/"};
constexpr std::array<std::string_view, 8> kLibraryVariables{"LD_", "GLIBC_", "MALLOC_", "OPENSSL_",
                                                            "SSL", "CURL_",  "TZ",      "LC_"};

// A text is valid if this parser accepts it.
template <auto Parser>
Status Parses(std::string_view text) {
  const auto parsed = Parser(text);
  return parsed ? Status() : Status(parsed.error());
}

Status CheckCredentialPath(std::string_view text) {
  BAOKMS_TRY(
      setup::Require(!text.starts_with(kCredentialPrefix),
                     "needs a plain file name after ${CREDENTIALS_DIRECTORY}/, and this variable "
                     "in the environment (systemd sets it with LoadCredential=)"));
  return setup::CheckAbsolutePath(text);
}

Status CheckSocketPath(std::string_view text) {
  BAOKMS_TRY(setup::CheckAbsolutePath(text));
  BAOKMS_TRY(setup::Require(text.size() <= kMaxSocketPath, "must not be longer than 107 bytes"));
  const bool below =
      std::ranges::any_of(kSocketRoots, [&](auto root) { return text.starts_with(root); });
  // The same rules as for a mount path: no segment is empty, "." or "..".
  return setup::Require(below && setup::CheckMountPath(text.substr(1)),
                        "must be below /run/openbao-kms or /var/run/openbao-kms");
}

Status CheckStatePath(std::string_view text) {
  BAOKMS_TRY(setup::CheckAbsolutePath(text));
  const std::string_view name = text.substr(text.rfind('/') + 1);
  BAOKMS_TRY(setup::Require(!name.empty() && name != "." && name != "..",
                            "must end with the name of a file"));
  return setup::Require(name.size() <= kMaxStateName,
                        "must end with a file name of at most 240 bytes");
}

Status CheckSocketMode(std::string_view text) {
  const auto mode = ParseOctal(text, 0777);
  BAOKMS_TRY(setup::Require(mode.has_value(), "must be an octal mode such as \"0660\""));
  return setup::Require((*mode & 0117U) == 0, "must grant only read and write to owner and group");
}

Status CheckSocketGroup(std::string_view text) {
  const bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  BAOKMS_TRY(setup::Require(!digits || ParseDecimal(text, kMaxGid),
                            "must be a group name or a decimal GID"));
  return setup::CheckIdentifier(text);
}

Status CheckUser(std::string_view text) {
  const bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  const bool numbers = text.find(':') != std::string_view::npos;
  BAOKMS_TRY(setup::Require(numbers ? ParseUserIds(text).has_value() : !digits,
                            "must be a user name, or two decimal numbers as in \"65532:65532\""));
  return setup::CheckIdentifier(text);
}

// Rejects variables that change how the agent itself is loaded, or what its libraries write and
// trust; they are not for the module to set.
Status CheckVariableName(std::string_view text) {
  const auto is_name_character = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  BAOKMS_TRY(setup::Require(!text.empty() && text.size() <= kMaxVariableName &&
                                !(text.front() >= '0' && text.front() <= '9') &&
                                std::ranges::all_of(text, is_name_character),
                            "must be the name of an environment variable"));
  return setup::Require(std::ranges::none_of(kLibraryVariables,
                                             [&](auto prefix) { return text.starts_with(prefix); }),
                        "must not be a variable that the auth agent's own libraries read");
}

constexpr std::string_view kHttpsPattern = "^[Hh][Tt][Tt][Pp][Ss]://";

}  // namespace

std::string_view CredentialName(std::string_view text) {
  if (!text.starts_with(kCredentialPrefix)) {
    return {};
  }
  const std::string_view name = text.substr(kCredentialPrefix.size());
  const bool plain = name != "." && name != ".." && name.find('/') == std::string_view::npos;
  return plain ? name : std::string_view();
}

const TextRule kIdentifier{&setup::CheckIdentifier,
                           "no white space at either end; no NUL, CR, LF or TAB"};
const TextRule kMountPath{&setup::CheckMountPath, "path without empty, `.` or `..` parts"};
const TextRule kNamespace{&setup::CheckNamespace,
                          "path without empty, `.` or `..` parts and without `%`"};
const TextRule kKeyName{&setup::CheckKeyName,
                        "`[A-Za-z0-9_.-]`, not beginning or ending with `.` or `-`",
                        "^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$"};
const TextRule kServerName{&setup::CheckServerName,
                           "host name or IP address; no brackets, scheme, port or wildcard"};
const TextRule kHttpsAddress{&Parses<&setup::ParseHttpsAddress>,
                             "https URL without user info, query and fragment", kHttpsPattern};
const TextRule kTokenUrl{&Parses<&setup::ParseTokenUrl>, "https URL without user info and fragment",
                         kHttpsPattern};
const TextRule kAbsoluteUri{&setup::CheckAbsoluteUri,
                            "absolute URIs without user info and fragment"};
const TextRule kScope{&setup::CheckScope, "scope tokens (RFC 6749)"};
const TextRule kAbsolutePath{&setup::CheckAbsolutePath, "absolute path"};
const TextRule kCredentialPath{.check = &CheckCredentialPath,
                               .allowed = "absolute path, or `${CREDENTIALS_DIRECTORY}/name`",
                               .may_be_credential = true};
const TextRule kSocketPath{&CheckSocketPath, "below `/run/openbao-kms` or `/var/run/openbao-kms`"};
const TextRule kStatePath{&CheckStatePath, "absolute path of a file"};
const TextRule kSocketMode{&CheckSocketMode, "octal; only read and write, for owner and group",
                           "^0*[0246]{0,2}0$"};
const TextRule kSocketGroup{&CheckSocketGroup, "group name or decimal GID"};
const TextRule kUser{&CheckUser, "user name or `uid:gid`"};
const TextRule kUserOrNone{
    .check = &CheckUser, .allowed = "user name, `uid:gid` or nothing", .blank_is_none = true};
// A blank address turns the listener off.
const TextRule kListenAddress{.check = &Parses<&ParseListenAddress>,
                              .allowed =
                                  "IP address (IPv6 in brackets), host name or nothing, and "
                                  "`:port`; with port 0 the kernel chooses a port",
                              .blank_is_none = true};
const TextRule kSpiffeSocket{&setup::CheckSpiffeSocket, "`unix:///absolute/path`"};
const TextRule kSpiffeId{&Parses<&setup::ParseSpiffeId>, "`spiffe://domain/path`"};
const TextRule kTokenLabel{&setup::CheckTokenLabel,
                           "at most 32 bytes; no white space at either end; no NUL, CR, LF or TAB"};
const TextRule kPkcs11Uri{&setup::CheckPkcs11Uri,
                          "`pkcs11:token=...;object=...` without `pin-value`"};
const TextRule kVariableName{
    &CheckVariableName,
    "names that the agent's own libraries do not read (`LD_*`, `OPENSSL_*`, ...)"};
const TextRule kNoControl{&setup::CheckNoControl, "no control characters"};

Finding CheckRange(const NumberRule& rule, std::int64_t value) {
  if (value >= rule.min && value <= rule.max) {
    return std::nullopt;
  }
  if (rule.max == std::numeric_limits<int>::max()) {
    return "must be at least " + std::to_string(rule.min);
  }
  return "must be from " + std::to_string(rule.min) + " to " + std::to_string(rule.max);
}

Finding CheckDuration(Least least, std::int64_t nanoseconds) {
  if (least == Least::kAboveZero && nanoseconds <= 0) {
    return "must be greater than 0";
  }
  if (least == Least::kZero && nanoseconds < 0) {
    return "must not be negative";
  }
  if (nanoseconds > setup::kMaxTime.count()) {
    return "must be at most 878400h, which is 100 years";
  }
  return std::nullopt;
}

}  // namespace baokms::supervisor
