#include "supervisor/cli/prepare.h"

#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/setup/url.h"
#include "supervisor/config/auth_method.h"
#include "supervisor/config/conditions.h"
#include "supervisor/config/host_checks.h"
#include "supervisor/config/proxy_environment.h"
#include "supervisor/config/users.h"
#include "supervisor/config/validate.h"

namespace baokms::supervisor {
namespace {

ProxyChoice OAuth2Proxy(const ConfigDocument& document, const Environment& environment) {
  const AuthConfig& auth = document.config.auth;
  const Result<setup::HttpsAddress> target = setup::ParseTokenUrl(auth.jwt.oauth2.token_url);
  if (!kWithOAuth2.holds(document.config) || !target || !environment) {
    return {};
  }
  return FindProxy(environment, *target);
}

// The agent starts with an empty environment plus these variables of the PKCS#11 module.
std::vector<std::string> ModuleEnvironment(const Config& config, const Environment& environment) {
  std::vector<std::string> variables;
  if (!TraitsOf(config.auth.method).key_in_module || !environment) {
    return variables;
  }
  for (const std::string& name : config.auth.cert.pkcs11.environment) {
    if (const std::optional<std::string> value = environment(name)) {
      variables.push_back(name + "=" + *value);
    }
  }
  return variables;
}

// Runs the checks that remain once the file and the host were checked.
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

// A user that does not exist is found at the start.
uid_t OwnUser(const Config& config) {
  const Result<UserIds> user = SupervisorUser(config);
  return user ? user->uid : ::geteuid();
}

bool IsAboutCa(const Problem& problem) {
  return problem.key == "openbao.caCertFile" || problem.key == "auth.jwt.oauth2.caCertFile";
}

}  // namespace

CheckedConfig Prepare(const LoadOptions& options,
                      HostChecks checks,
                      std::optional<uid_t> own_user) {
  LoadOptions checked = options;
  checked.safety = checks == HostChecks::kAll && !options.of_another_machine
                       ? ConfigFileSafety::kChecked
                       : ConfigFileSafety::kAny;
  LoadResult loaded = LoadConfig(checked);
  std::vector<Problem> problems = Validate(loaded.document, loaded.problems);
  HostFindings host;
  if (!options.of_another_machine) {
    host = CheckHost(loaded.document, problems,
                     own_user ? *own_user : OwnUser(loaded.document.config));
    std::ranges::copy_if(host.problems, std::back_inserter(problems), [&](const Problem& problem) {
      return checks == HostChecks::kAll || IsAboutCa(problem);
    });
  }
  return Finish(options, loaded.document, std::move(host), std::move(problems));
}

}  // namespace baokms::supervisor
