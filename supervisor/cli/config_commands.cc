#include "supervisor/cli/config_commands.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/contract/identity.h"
#include "supervisor/config/derived.h"
#include "supervisor/config/host_checks.h"
#include "supervisor/config/validate.h"

namespace baokms::supervisor {

Facts ConfigFacts(const Config& config) {
  Facts facts{{"configVersion", config.config_version},
              {"socketPath", config.server.socket_path},
              {"metricsAddress", config.server.metrics_address},
              {"healthAddress", config.server.health_address},
              {"authMethod", config.auth.method}};
  if (const auto fingerprint = contract::Fingerprint(IdentityOf(config)); fingerprint.has_value()) {
    facts.emplace_back("identityFingerprint", fingerprint->text());
  }
  return facts;
}

namespace {

ServeOptions ToOptions(const LoadOptions& options,
                       const ConfigDocument& document,
                       HostFindings host) {
  return {.config = document.config,
          .config_path = options.path,
          .openbao_ca_pem = std::move(host.openbao_ca_pem),
          .oauth2_ca_pem = std::move(host.oauth2_ca_pem),
          .warnings = Warnings(document),
          .build = {},
          .reload = {}};
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
  if (problems.empty()) {
    problems = UnavailableFeatures(loaded.document);
  }
  if (!problems.empty()) {
    return {std::nullopt, std::move(problems)};
  }
  return {ToOptions(options, loaded.document, std::move(host)), {}};
}

CheckedConfig PrepareInquiry(const LoadOptions& options) {
  LoadResult loaded = LoadConfig(options);
  std::vector<Problem> problems = Validate(loaded.document, loaded.problems);
  HostFindings host = CheckHost(loaded.document, problems);
  std::ranges::copy_if(host.problems, std::back_inserter(problems), IsAboutCa);
  if (problems.empty()) {
    problems = UnavailableFeatures(loaded.document);
  }
  if (!problems.empty()) {
    return {std::nullopt, std::move(problems)};
  }
  return {ToOptions(options, loaded.document, std::move(host)), {}};
}

}  // namespace baokms::supervisor
