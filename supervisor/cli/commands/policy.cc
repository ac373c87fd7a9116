#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "supervisor/cli/commands/commands.h"
#include "supervisor/config/validate.h"

namespace baokms::supervisor {
namespace {

constexpr Flag kRenewalFlag{"--include-token-renewal", "",
                            "Allow the token to renew itself (default true)"};

// Whether the policy lets the token renew itself.
enum class TokenRenewal : std::uint8_t { kInclude, kLeaveOut };

struct Stanza {
  std::string_view comment;
  std::string path;
  std::string_view capability;
};

// In a policy, a path segment "+" matches any segment, "{{" begins a template and "${" an
// interpolation; HCL cannot escape them. "*" is a wildcard only at the end of a path, and these
// paths never end in one.
bool HasPolicySyntax(std::string_view path) {
  if (path.find("{{") != std::string_view::npos || path.find("${") != std::string_view::npos) {
    return true;
  }
  const std::string parts = std::string("/").append(path).append("/");
  return parts.find("/+/") != std::string::npos;
}

std::vector<Stanza> Stanzas(const Config& config, TokenRenewal renewal) {
  const std::string& mount = config.transit.mount_path;
  const std::string& key = config.transit.key_name;
  std::vector<Stanza> stanzas{
      {"Read the key's versions and settings.", mount + "/keys/" + key, "read"},
      {"Encrypt with the key.", mount + "/encrypt/" + key, "update"},
      {"Decrypt with the key.", mount + "/decrypt/" + key, "update"},
      {"Read whether encryption may create keys.", mount + "/config/keys", "read"}};
  if (renewal == TokenRenewal::kInclude) {
    stanzas.push_back({"Renew this token.", "auth/token/renew-self", "update"});
  }
  return stanzas;
}

std::string Quote(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted.push_back('\\');
    }
    quoted.push_back(c);
  }
  return quoted.append("\"");
}

std::string ToHcl(const std::vector<Stanza>& stanzas) {
  std::string text;
  for (const Stanza& stanza : stanzas) {
    text.append("# ").append(stanza.comment).append("\n");
    text.append("path ").append(Quote(stanza.path)).append(" {\n");
    text.append("  capabilities = [").append(Quote(stanza.capability)).append("]\n}\n\n");
  }
  return text;
}

std::string ToJson(const std::vector<Stanza>& stanzas) {
  nlohmann::ordered_json policy;
  for (const Stanza& stanza : stanzas) {
    policy["path"][stanza.path]["capabilities"] = {stanza.capability};
  }
  return policy.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

// Prints HCL for the text format and OpenBao's JSON policy syntax for JSON.
int RunPolicy(const CommandContext& context) {
  const LoadResult loaded = LoadConfig(context.load());
  const auto problems = Validate(loaded.document, loaded.problems);
  if (!problems.empty()) {
    return context.FailConfig(problems);
  }
  const Config& config = loaded.document.config;
  if (HasPolicySyntax(config.transit.mount_path)) {
    return context.Fail(ExitCode::kUnclassified,
                        "transit.mountPath holds a \"+\" segment, \"{{\" or \"${\", which a policy "
                        "would not take literally");
  }
  const bool leave_out = context.Value(kRenewalFlag.name) == "false";
  const std::vector<Stanza> stanzas =
      Stanzas(config, leave_out ? TokenRenewal::kLeaveOut : TokenRenewal::kInclude);
  return context.Print(context.output() == OutputFormat::kJson ? ToJson(stanzas) : ToHcl(stanzas));
}

constexpr Flag kPolicyFlags[] = {kRenewalFlag, kOutputFlag};
constexpr Command kPolicyChildren[] = {
    {.name = "openbao",
     .help = "Print the least-privilege OpenBao policy for the provider's token",
     .flags = kPolicyFlags,
     .run = RunPolicy}};

}  // namespace

constinit const Command kPolicyCommand{
    .name = "policy", .help = "Print access policies", .children = kPolicyChildren};

}  // namespace baokms::supervisor
