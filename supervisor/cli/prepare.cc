#include "supervisor/cli/prepare.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "supervisor/config/host_checks.h"
#include "supervisor/config/proxy_environment.h"
#include "supervisor/config/validate.h"

namespace baokms::supervisor {
namespace {

ProxyChoice OAuth2Proxy(const ConfigDocument& document, const Environment& environment) {
  const AuthConfig& auth = document.config.auth;
  const Result<HttpsAddress> target = ParseTokenUrl(auth.jwt.oauth2.token_url);
  if (auth.method != "jwt" || auth.jwt.source != "oauth2" || !target || !environment) {
    return {};
  }
  return FindProxy(environment, *target);
}

// The agent starts with an empty environment and these variables of the PKCS#11 module.
std::vector<std::string> ModuleEnvironment(const Config& config, const Environment& environment) {
  std::vector<std::string> variables;
  if (config.auth.method != "cert") {
    return variables;
  }
  for (const std::string& name : config.auth.cert.pkcs11.environment) {
    if (const std::optional<std::string> value = environment(name)) {
      variables.push_back(name + "=" + *value);
    }
  }
  return variables;
}

// The checks that remain once the file and the host are in order.
CheckedConfig Finish(const LoadOptions& options,
                     const ConfigDocument& document,
                     HostFindings host,
                     std::vector<Problem> problems) {
  ProxyChoice proxy = OAuth2Proxy(document, options.environment);
  if (problems.empty() && proxy.refusal) {
    problems.push_back(
        document.ProblemAt("auth.jwt.oauth2.tokenUrl", "HTTPS_PROXY: " + *proxy.refusal));
  }
  if (!problems.empty()) {
    return {std::nullopt, std::move(problems)};
  }
  return {
      ServeOptions{.config = document.config,
                   .config_path = options.path,
                   .openbao_ca_pem = std::move(host.openbao_ca_pem),
                   .oauth2_ca_pem = std::move(host.oauth2_ca_pem),
                   .oauth2_proxy = std::move(proxy.proxy),
                   .module_environment = ModuleEnvironment(document.config, options.environment),
                   .warnings = Warnings(document),
                   .build = {},
                   .reload = {}},
      {}};
}

bool IsAboutCa(const Problem& problem) {
  return problem.key == "openbao.caCertFile" || problem.key == "auth.jwt.oauth2.caCertFile";
}

}  // namespace

CheckedConfig PrepareServe(const LoadOptions& options) {
  LoadOptions checked = options;
  checked.safety = ConfigFileSafety::kChecked;
  LoadResult loaded = LoadConfig(checked);
  std::vector<Problem> problems = Validate(loaded.document, loaded.problems);
  HostFindings host = CheckHost(loaded.document, problems);
  problems.insert(problems.end(), std::make_move_iterator(host.problems.begin()),
                  std::make_move_iterator(host.problems.end()));
  return Finish(options, loaded.document, std::move(host), std::move(problems));
}

CheckedConfig PrepareLiveQuery(const LoadOptions& options) {
  LoadResult loaded = LoadConfig(options);
  std::vector<Problem> problems = Validate(loaded.document, loaded.problems);
  HostFindings host = CheckHost(loaded.document, problems);
  std::ranges::copy_if(host.problems, std::back_inserter(problems), IsAboutCa);
  return Finish(options, loaded.document, std::move(host), std::move(problems));
}

}  // namespace baokms::supervisor
