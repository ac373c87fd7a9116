#include "supervisor/serve/own_landlock.h"

#include <fcntl.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <system_error>

#include "common/base/unique_fd.h"
#include "supervisor/config/derived.h"

namespace baokms::supervisor {
namespace {

constexpr std::uint16_t kNameServerPort = 53;

std::string DirectoryOf(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

// The directory of a file, because a replaced file is another one for the kernel.
std::string PlaceOf(const std::string& path, const Config& config, IsolationLevel level) {
  const std::string directory = DirectoryOf(path);
  const bool shared = level == IsolationLevel::kSingleUser &&
                      CredentialOf(config).path.starts_with(directory + "/");
  return shared ? path : directory;
}

// resolv.conf(5) is often a link, to a file that another program replaces.
std::vector<std::string> NameLookupPlaces() {
  std::vector<std::string> places = {"/etc"};
  std::error_code failed;
  const auto target = std::filesystem::canonical("/etc/resolv.conf", failed);
  if (!failed) {
    places.push_back(target.parent_path().string());
  }
  return places;
}

void AddListener(const std::string& address, std::vector<std::uint16_t>& ports) {
  if (const auto listener = ListenerOf(address)) {
    ports.push_back(listener->port);
  }
}

}  // namespace

LandlockRules RulesOfSupervisor(const ServeOptions& options,
                                const std::vector<BrokerEndpoint>& endpoints,
                                SocketOrigin socket,
                                IsolationLevel level) {
  const Config& config = options.config;
  LandlockRules rules;
  rules.readable = NameLookupPlaces();
  // Of itself, and what gRPC asks about the machine.
  rules.readable.insert(rules.readable.end(), {"/proc/self", "/sys/devices/system/cpu"});
  for (const std::string& path :
       {options.config_path, config.openbao.ca_cert_file, config.auth.jwt.oauth2.ca_cert_file}) {
    if (!path.empty()) {
      rules.readable.push_back(PlaceOf(path, config, level));
    }
  }
  rules.changeable = {DirectoryOf(config.state.path)};
  if (socket != SocketOrigin::kInherited) {
    // The directory of the socket itself may have to be made again, by somebody else.
    rules.sockets = {DirectoryOf(DirectoryOf(config.server.socket_path))};
  }
  rules.connect_ports = {kNameServerPort};
  for (const BrokerEndpoint& endpoint : endpoints) {
    rules.connect_ports.push_back(endpoint.port);
  }
  AddListener(config.server.health_address, rules.listen_ports);
  AddListener(config.server.metrics_address, rules.listen_ports);
  return rules;
}

Started<LandlockState> ConfineSupervisor(LandlockUse use, const LandlockRules& rules) {
  if (use == LandlockUse::kOff) {
    return LandlockState();
  }
  const LandlockState state = BAOKMS_TRY(Step("enter Landlock", EnterLandlock(rules)));
  if (use == LandlockUse::kRequire && state.use != LandlockState::Use::kInForce) {
    const bool missing = state.sys_errno == ENOSYS || state.sys_errno == EOPNOTSUPP;
    return StartFailure{
        .exit_code = kConfigurationFailed,
        .line = std::string("isolation.landlock: is require, but ") +
                (missing ? "this kernel has no Landlock; add landlock to its lsm= option or set "
                           "best-effort"
                         : "a system call filter of the container or the service manager forbids "
                           "Landlock; permit its calls there or set best-effort")};
  }
  return state;
}

bool CanReadCredential(const Config& config) {
  const std::string path = CredentialOf(config).path;
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)).valid();
}

}  // namespace baokms::supervisor
