#include "supervisor/cli/config_commands.h"

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
  return {ServeOptions{.config = loaded.document.config,
                       .config_path = options.path,
                       .openbao_ca_pem = std::move(host.openbao_ca_pem),
                       .oauth2_ca_pem = std::move(host.oauth2_ca_pem),
                       .warnings = Warnings(loaded.document),
                       .build = {},
                       .reload = {}},
          {}};
}

}  // namespace baokms::supervisor
