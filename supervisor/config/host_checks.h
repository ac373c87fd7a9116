// What `serve` itself has to find on this host before it starts: files, directories, the kernel's
// view of users. JWT, client secret, certificate chain, PIN and module are the auth agent's to
// check, at use.

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

// The whole set of public authorities takes about 250 KiB.
inline constexpr std::size_t kMaxCaBundleBytes = std::size_t{1} << 20;

// At most rw for the owner, r for the group (and an owner's x, as the Go provider has it).
FileRules ConfigFileRules();

// Anyone may read a CA bundle; nobody but its owner may write it.
FileRules CaFileRules();

// Where distributions keep the bundle of public authorities, in the order they are looked for.
inline constexpr std::array<std::string_view, 3> kSystemBundles = {
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

struct HostFindings {
  std::vector<Problem> problems;
  // Content of openbao.caCertFile, as checked.
  std::string openbao_ca_pem;
  // With OAuth 2.0: content of auth.jwt.oauth2.caCertFile or, when none is set, of the system's
  // bundle. Else empty.
  std::string oauth2_ca_pem;
};

// Checks CA bundles, socket directory, socket path, state directory and, when
// server.allowedPeers is set, that this is the initial user namespace, for a provider that runs as
// `own_user`. Keys with an earlier problem are left out. The configuration file itself is checked
// when it is opened (load.h).
HostFindings CheckHost(const ConfigDocument& document,
                       std::span<const Problem> earlier,
                       uid_t own_user);

}  // namespace baokms::supervisor
