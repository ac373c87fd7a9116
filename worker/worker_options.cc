#include "worker/worker_options.h"

#include <algorithm>
#include <chrono>

#include "common/base/backoff.h"
#include "common/base/clock.h"
#include "common/setup/set_up_checks.h"
#include "worker/limits.h"

namespace baokms::worker {
namespace {

contract::KeyIdentity ReadIdentity(const ipc::IdentitySetup& setup) {
  return {setup.provider_name(),  setup.cluster_id(),       setup.instance_id(),
          setup.namespace_path(), setup.transit_mount_id(), setup.key_lineage_id()};
}

openbao::ClientOptions ReadOpenBao(const ipc::WorkerSetup& setup) {
  openbao::ClientOptions options = openbao::ToClientOptions(setup.openbao());
  options.transit_mount = setup.transit_mount();
  options.transit_key = setup.transit_key();
  options.max_connections = setup.max_connections();
  return options;
}

TokenTiming ReadTiming(const ipc::WorkerSetup& setup) {
  TokenTiming timing;
  timing.refresh_before = BootTime(setup.refresh_before_ns());
  timing.login_timeout = std::min(BootTime(setup.login_timeout_ns()), kMaxLoginTimeout);
  timing.longest_wait =
      std::clamp(BootTime(setup.longest_backoff_ns()), backoff::kLogin.initial.front(),
                 backoff::kRejectedToken.maximum);
  timing.check_interval =
      std::clamp(BootTime(std::chrono::seconds(setup.renewal_increment_s())), kMinCheck, kMaxCheck);
  timing.mode = setup.token_renewable() ? RenewalMode::kBySelf : RenewalMode::kByLogin;
  return timing;
}

}  // namespace

Result<WorkerOptions> ReadSetup(const ipc::WorkerSetup& setup) {
  BAOKMS_TRY(setup::CheckWorkerSetup(setup));
  WorkerOptions options;
  options.identity = ReadIdentity(setup.identity());
  options.openbao = ReadOpenBao(setup);
  options.token = ReadTiming(setup);
  options.renewal_increment_seconds = setup.renewal_increment_s();
  options.plugin_version = setup.plugin_version();
  options.log_level = static_cast<LogLevel>(setup.log_level());
  return options;
}

}  // namespace baokms::worker
