#include "worker/worker_options.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include "common/base/clock.h"
#include "common/base/error.h"
#include "common/base/log.h"
#include "common/base/result.h"
#include "common/contract/identity.h"
#include "common/openbao/api.h"
#include "ipc/limits.h"
#include "proto/setup.pb.h"
#include "worker/limits.h"
#include "worker/token_state_machine.h"

namespace baokms::worker {
namespace {

Result<contract::KeyIdentity> ReadIdentity(const ipc::IdentitySetup& setup) {
  contract::KeyIdentity identity{setup.provider_name(),    setup.cluster_id(),
                                 setup.instance_id(),      setup.namespace_path(),
                                 setup.transit_mount_id(), setup.key_lineage_id()};
  BAOKMS_TRY(contract::Validate(identity));
  return identity;
}

Result<std::vector<openbao::Endpoint>> ReadEndpoints(const ipc::OpenBaoSetup& setup) {
  if (setup.endpoints_size() < 1 || setup.endpoints_size() > kMaxEndpoints) {
    return Error(ErrorCode::kInvalidArgument, "set-up: number of endpoints");
  }
  std::vector<openbao::Endpoint> endpoints;
  for (const ipc::EndpointSetup& endpoint : setup.endpoints()) {
    if (endpoint.host().empty() || endpoint.port() < 1 || endpoint.port() > UINT16_MAX) {
      return Error(ErrorCode::kInvalidArgument, "set-up: endpoint");
    }
    endpoints.push_back(
        {endpoint.host(), static_cast<std::uint16_t>(endpoint.port()), endpoint.path_prefix()});
  }
  return endpoints;
}

Result<openbao::ClientOptions> ReadOpenBao(const ipc::WorkerSetup& setup) {
  if (setup.openbao().namespace_path() != setup.identity().namespace_path()) {
    return Error(ErrorCode::kInvalidArgument, "set-up: two namespaces");
  }
  if (!contract::IsMountPath(setup.transit_mount()) ||
      !contract::IsTransitKeyName(setup.transit_key())) {
    return Error(ErrorCode::kInvalidArgument, "set-up: mount or key");
  }
  if (setup.max_connections() < 1 || setup.max_connections() > kMaxConnections) {
    return Error(ErrorCode::kInvalidArgument, "set-up: number of connections");
  }
  openbao::ClientOptions options;
  options.endpoints = BAOKMS_TRY(ReadEndpoints(setup.openbao()));
  options.ca_pem = setup.openbao().ca_pem();
  options.server_name = setup.openbao().server_name();
  options.namespace_path = setup.openbao().namespace_path();
  options.transit_mount = setup.transit_mount();
  options.transit_key = setup.transit_key();
  options.max_connections = setup.max_connections();
  return options;
}

Result<TokenTiming> ReadTiming(const ipc::WorkerSetup& setup) {
  // How long before its end a token is refreshed, and by how much, is as long as leases are.
  constexpr std::int64_t kLongestLease = ipc::kMaxLeaseSeconds * 1'000'000'000;
  if (setup.login_timeout_ns() <= 0 || setup.longest_backoff_ns() <= 0 ||
      setup.refresh_before_ns() < 0 || setup.refresh_before_ns() > kLongestLease ||
      setup.renewal_increment_s() < 1 || setup.renewal_increment_s() > ipc::kMaxLeaseSeconds) {
    return Error(ErrorCode::kInvalidArgument, "set-up: times");
  }
  TokenTiming timing;
  timing.refresh_before = BootTime(setup.refresh_before_ns());
  timing.login_timeout = std::min(BootTime(setup.login_timeout_ns()), kLongestLoginTimeout);
  timing.longest_wait =
      std::clamp(BootTime(setup.longest_backoff_ns()), kFirstBackoff, kLongestCooldown);
  timing.check_interval = std::clamp(BootTime(std::chrono::seconds(setup.renewal_increment_s())),
                                     kShortestCheck, kLongestCheck);
  timing.mode = setup.token_renewable() ? RenewalMode::kBySelf : RenewalMode::kByLogin;
  return timing;
}

}  // namespace

Result<WorkerOptions> ReadSetup(const ipc::WorkerSetup& setup) {
  if (setup.log_level() > static_cast<std::uint32_t>(LogLevel::kError) ||
      setup.plugin_version().empty()) {
    return Error(ErrorCode::kInvalidArgument, "set-up: log level or version");
  }
  WorkerOptions options;
  options.identity = BAOKMS_TRY(ReadIdentity(setup.identity()));
  options.openbao = BAOKMS_TRY(ReadOpenBao(setup));
  options.token = BAOKMS_TRY(ReadTiming(setup));
  options.renewal_increment_seconds = setup.renewal_increment_s();
  options.plugin_version = setup.plugin_version();
  options.log_level = static_cast<LogLevel>(setup.log_level());
  return options;
}

}  // namespace baokms::worker
