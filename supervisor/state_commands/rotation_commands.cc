#include "supervisor/state_commands/rotation_commands.h"

#include <string>
#include <utility>

#include "common/base/clock.h"
#include "supervisor/config/derived.h"
#include "supervisor/state_commands/local_registry.h"
#include "supervisor/state_commands/rotation_report.h"

namespace baokms::supervisor {
namespace {

CommandResult Report(std::string name, const CommandHost& host) {
  const Config& config = host.options.config;
  const contract::ConfigIdentity identity = IdentityOf(config);
  const LocalRegistry local = ReadLocalRegistryAt(config.state.path, identity);
  const LiveKey live = host.read_live_key(host.options);
  RotationPolicy policy;
  policy.activation_delay = config.rotation.activation_delay;
  policy.required_observations = config.rotation.require_stable_observation_count;
  return ReportRotation(std::move(name), {.local = local,
                                          .live = live,
                                          .identity = identity,
                                          .policy = policy,
                                          .now_unix = UnixNow()});
}

}  // namespace

CommandResult RunRotationPlan(const CommandHost& host) {
  return Report("rotation-plan", host);
}

CommandResult RunVerifyRotation(const CommandHost& host) {
  CommandResult result = Report("verify-rotation", host);
  result.sheet.Add("confidence", std::string("limited"));
  result.sheet.Add("limitations",
                   std::string("objects in etcd were not looked at: with --scan-etcd this command "
                               "says which Transit versions they still need"));
  return result;
}

}  // namespace baokms::supervisor
