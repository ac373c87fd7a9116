// Configuration files for tests: a valid one per login method, with single keys changed.

#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/config/document.h"
#include "supervisor/config/load.h"
#include "supervisor/config/validate.h"

namespace baokms::supervisor {

// Full key to the YAML text of its value.
using Keys = std::map<std::string, std::string, std::less<>>;

inline Keys CommonKeys() {
  return {{"configVersion", "v1alpha1"},
          {"server.socketGroup", "kms"},
          {"openbao.address", "https://bao.example:8200"},
          {"openbao.caCertFile", "/etc/ca.crt"},
          {"openbao.tlsServerName", "bao.example"},
          {"openbao.instanceId", "bao-1"},
          {"transit.mountPath", "transit"},
          {"transit.keyName", "etcd"},
          {"transit.keyIdScope.providerName", "kms-blue"},
          {"transit.keyIdScope.clusterId", "blue"},
          {"transit.keyIdScope.transitMountId", "mount-1"},
          {"transit.keyIdScope.keyLineageId", "lineage-1"}};
}

inline Keys JwtKeys() {
  Keys keys = CommonKeys();
  keys["auth.jwt.source"] = "file";
  keys["auth.jwt.mountPath"] = "auth/jwt";
  keys["auth.jwt.role"] = "kms";
  keys["auth.jwt.jwtFile"] = "/etc/jwt";
  return keys;
}

inline Keys OAuth2Keys() {
  Keys keys = JwtKeys();
  keys.erase("auth.jwt.jwtFile");
  keys["auth.jwt.source"] = "oauth2";
  keys["auth.jwt.expectedIssuer"] = "https://issuer.example";
  keys["auth.jwt.expectedAudience"] = "[bao]";
  keys["auth.jwt.oauth2.tokenUrl"] = "https://issuer.example/token";
  keys["auth.jwt.oauth2.clientId"] = "kms";
  keys["auth.jwt.oauth2.clientSecretFile"] = "/etc/secret";
  keys["auth.jwt.oauth2.authMethod"] = "client_secret_basic";
  return keys;
}

inline Keys CertKeys() {
  Keys keys = CommonKeys();
  keys["auth.method"] = "cert";
  keys["auth.cert.mountPath"] = "auth/cert";
  keys["auth.cert.source"] = "pkcs11";
  keys["auth.cert.pkcs11.certificateFile"] = "/etc/chain.pem";
  keys["auth.cert.pkcs11.modulePath"] = "/usr/lib/p11.so";
  keys["auth.cert.pkcs11.tokenLabel"] = "token";
  keys["auth.cert.pkcs11.keyLabel"] = "key";
  keys["auth.cert.pkcs11.pinFile"] = "/etc/pin";
  keys["auth.cert.pkcs11.maxSessions"] = "4";
  return keys;
}

// The keys as a file. Sorting brings the keys of one section together.
inline std::string YamlOf(const Keys& keys) {
  std::string text;
  std::vector<std::string> open;
  for (const auto& [key, value] : keys) {
    std::vector<std::string> parts;
    for (std::size_t from = 0; from <= key.size();) {
      const std::size_t dot = std::min(key.find('.', from), key.size());
      parts.push_back(key.substr(from, dot - from));
      from = dot + 1;
    }
    for (std::size_t depth = 0; depth + 1 < parts.size(); ++depth) {
      if (depth >= open.size() || open[depth] != parts[depth]) {
        open.resize(depth);
        text.append(depth * 2, ' ').append(parts[depth]).append(":\n");
        open.push_back(parts[depth]);
      }
    }
    open.resize(parts.size() - 1);
    text.append((parts.size() - 1) * 2, ' ').append(parts.back());
    text.append(": ").append(value).append("\n");
  }
  return text;
}

inline LoadOptions NoOverrides() {
  return {};
}

inline LoadResult Load(std::string_view yaml, const LoadOptions& options = NoOverrides()) {
  return LoadConfigText("c.yaml", yaml, options);
}

// Everything that is wrong, one ToLine() each.
inline std::vector<std::string> ProblemsOf(std::string_view yaml,
                                           const LoadOptions& options = NoOverrides()) {
  const LoadResult loaded = Load(yaml, options);
  std::vector<std::string> lines;
  for (const Problem& problem : Validate(loaded.document, loaded.problems)) {
    lines.push_back(ToLine(problem));
  }
  return lines;
}

inline std::vector<std::string> ProblemsOf(const Keys& keys) {
  return ProblemsOf(YamlOf(keys));
}

inline Keys With(Keys keys, std::string_view key, std::string_view value) {
  keys[std::string(key)] = std::string(value);
  return keys;
}

inline Keys With(Keys keys, const Keys& more) {
  for (const auto& [key, value] : more) {
    keys[key] = value;
  }
  return keys;
}

inline Keys Without(Keys keys, std::string_view key) {
  keys.erase(keys.find(key));
  return keys;
}

inline Environment FakeEnvironment(std::map<std::string, std::string, std::less<>> values) {
  return [values = std::move(values)](std::string_view name) -> std::optional<std::string> {
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  };
}

}  // namespace baokms::supervisor
