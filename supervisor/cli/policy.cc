#include "supervisor/cli/policy.h"

#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace baokms::supervisor {
namespace {

struct Stanza {
  std::string_view comment;
  std::string path;
  std::string_view capability;
};

// "+" as a part of the path matches any part, "{{" begins a template, "${" an interpolation; HCL
// has no way to write them plainly. "*" is a wildcard only at the end, which ours never is.
bool MeansSomethingElse(std::string_view path) {
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
      {"Read whether encryption may create keys.", mount + "/config/keys", "read"},
      {"Ask what this token may do.", "sys/capabilities-self", "update"}};
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

}  // namespace

Result<std::string> OpenBaoPolicy(const Config& config, TokenRenewal renewal, OutputFormat format) {
  if (MeansSomethingElse(config.transit.mount_path)) {
    return Error(ErrorCode::kInvalidArgument,
                 "transit.mountPath holds \"+\" as a part, \"{{\" or \"${\", which a policy would "
                 "not take literally");
  }
  const std::vector<Stanza> stanzas = Stanzas(config, renewal);
  return format == OutputFormat::kJson ? ToJson(stanzas) : ToHcl(stanzas);
}

}  // namespace baokms::supervisor
