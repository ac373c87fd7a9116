// Checks what `serve` itself needs on this host before it starts: files, directories, the kernel's
// view of users. The auth agent checks JWT, client secret, certificate chain and PIN when it uses
// them, and the module again.

#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/config/document.h"
#include "supervisor/config/safe_file.h"

namespace baokms::supervisor {

// At most rw for the owner and r for the group (and x for the owner, as in the Go provider).
FileRules ConfigFileRules();

// Every user may read a CA bundle; only its owner may write to it.
FileRules CaFileRules();

// Where distributions keep the bundle of public CAs, in the order in which they are tried.
inline constexpr std::array<std::string_view, 3> kSystemBundles = {
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

struct HostFindings {
  std::vector<Problem> problems;
  // The checked content of openbao.caCertFile.
  std::string openbao_ca_pem;
  // With OAuth 2.0: the content of auth.jwt.oauth2.caCertFile or, if that is not set, of the
  // system's bundle. Otherwise empty.
  std::string oauth2_ca_pem;
};

// Checks, for a provider that runs as `own_user`, the CA bundles, the socket directory, the socket
// path, the state directory, a PKCS#11 module and its directory, and with server.allowedPeers also
// that this is the initial user namespace. Skips keys with an earlier problem. The configuration
// file itself is checked when it is opened (load.h).
HostFindings CheckHost(const ConfigDocument& document,
                       std::span<const Problem> earlier,
                       uid_t own_user);

}  // namespace baokms::supervisor
