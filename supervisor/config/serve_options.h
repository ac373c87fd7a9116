// Everything `serve` starts with: a configuration that was loaded, validated and checked against
// this host, together with the content of the files that were checked.

#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "supervisor/config/build_info.h"
#include "supervisor/config/config.h"
#include "supervisor/config/document.h"
#include "supervisor/config/proxy_environment.h"

namespace baokms::supervisor {

struct ReloadedOptions;

struct ServeOptions {
  Config config;
  // As given; an absolute path.
  std::string config_path;
  // The content of openbao.caCertFile.
  std::string openbao_ca_pem;
  // The CAs of the OAuth 2.0 token endpoint: the content of auth.jwt.oauth2.caCertFile, or of the
  // system's bundle if that is not set. Empty without OAuth 2.0.
  std::string oauth2_ca_pem;
  // The HTTP proxy that the environment names for the token endpoint.
  std::optional<ProxyAddress> oauth2_proxy{};
  // "NAME=value" for each variable of auth.cert.pkcs11.environment that is set.
  std::vector<std::string> module_environment{};
  // Warnings to be logged.
  std::vector<Problem> warnings;
  BuildInfo build;
  // Loads, validates and checks the same configuration again, for SIGHUP.
  std::function<ReloadedOptions()> reload;
};

// Either new options, or why the configuration cannot be used: one line without configuration
// values.
struct ReloadedOptions {
  std::shared_ptr<const ServeOptions> options;
  std::string refusal;
};

}  // namespace baokms::supervisor
