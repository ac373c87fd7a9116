#include "supervisor/config/derived.h"

#include <grp.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "common/setup/pkcs11_uri.h"
#include "supervisor/config/conditions.h"
#include "supervisor/config/number_text.h"
#include "supervisor/config/text_rules.h"

namespace baokms::supervisor {
namespace {

constexpr std::chrono::seconds kLeastLoginTimeout{5};
constexpr int kLeastLoginBudget = 12;
constexpr int kLoginsPerWorker = 3;
constexpr std::string_view kUriKey = "auth.cert.pkcs11.uri";

// Buffer size: a group's entry lists its members, and a directory service may return thousands.
constexpr std::size_t kMaxGroupEntryBytes = std::size_t{1} << 20;

Result<gid_t> LookUpGroup(const std::string& name) {
  std::vector<char> buffer(4096);
  while (true) {
    group entry{};
    group* found = nullptr;
    const int error = ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    if (found != nullptr) {
      return found->gr_gid;
    }
    if (error != ERANGE || buffer.size() >= kMaxGroupEntryBytes) {
      return Error(ErrorCode::kNotFound, "no group of this host has this name", error);
    }
    buffer.resize(buffer.size() * 2);
  }
}

}  // namespace

Result<std::vector<setup::HttpsAddress>> OpenBaoEndpoints(const Config& config) {
  std::vector<setup::HttpsAddress> endpoints;
  endpoints.push_back(BAOKMS_TRY(setup::ParseHttpsAddress(config.openbao.address)));
  for (const std::string& address : config.openbao.additional_addresses) {
    endpoints.push_back(BAOKMS_TRY(setup::ParseHttpsAddress(address)));
  }
  return endpoints;
}

std::optional<ListenAddress> ListenerOf(std::string_view address) {
  auto parsed = ParseListenAddress(address);
  if (IsBlank(address) || !parsed) {
    return std::nullopt;
  }
  return *std::move(parsed);
}

Duration EffectiveLoginTimeout(const Config& config) {
  if (config.auth.login_timeout > Duration(0)) {
    return config.auth.login_timeout;
  }
  return std::max<Duration>(config.openbao.timeout, kLeastLoginTimeout);
}

int EffectiveLoginBudget(const Config& config) {
  if (config.auth.login_budget_per_minute > 0) {
    return config.auth.login_budget_per_minute;
  }
  return std::max(kLeastLoginBudget, kLoginsPerWorker * config.isolation.workers);
}

Result<mode_t> SocketMode(const Config& config) {
  const auto mode = ParseOctal(config.server.socket_mode, 0777);
  if (!mode) {
    return Error(ErrorCode::kInvalidArgument, "server.socketMode is not an octal mode");
  }
  return mode_t{*mode};
}

Result<gid_t> SocketGroup(const Config& config) {
  if (const auto gid = ParseDecimal(config.server.socket_group, 4'294'967'294U)) {
    return gid_t{*gid};
  }
  return LookUpGroup(config.server.socket_group);
}

ConfiguredFile CredentialOf(const Config& config) {
  const AuthConfig& auth = config.auth;
  if (kWithJwtFile.holds(config)) {
    return {"auth.jwt.jwtFile", auth.jwt.jwt_file};
  }
  if (kWithOAuth2.holds(config)) {
    return {"auth.jwt.oauth2.clientSecretFile", auth.jwt.oauth2.client_secret_file};
  }
  const auto source = setup::UriAttribute(auth.cert.pkcs11.uri, "pin-source");
  if (source) {
    return {kUriKey, std::string(setup::PinSourcePath(*source))};
  }
  return {"auth.cert.pkcs11.pinFile", auth.cert.pkcs11.pin_file};
}

ConfiguredFile ModuleOf(const Config& config) {
  const Pkcs11Config& pkcs11 = config.auth.cert.pkcs11;
  if (auto path = setup::UriAttribute(pkcs11.uri, "module-path")) {
    return {kUriKey, *std::move(path)};
  }
  return {"auth.cert.pkcs11.modulePath", pkcs11.module_path};
}

contract::ConfigIdentity IdentityOf(const Config& config) {
  const KeyIdScope& scope = config.transit.key_id_scope;
  return {.key = {.provider_name = scope.provider_name,
                  .cluster_id = scope.cluster_id,
                  .instance_id = config.openbao.instance_id,
                  .namespace_path = config.openbao.openbao_namespace,
                  .transit_mount_id = scope.transit_mount_id,
                  .key_lineage_id = scope.key_lineage_id},
          .transit_mount_path = config.transit.mount_path,
          .transit_key_name = config.transit.key_name};
}

}  // namespace baokms::supervisor
