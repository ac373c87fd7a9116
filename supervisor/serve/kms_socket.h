// The KMS socket: bound by us with the configured mode and group, or inherited from a systemd
// socket unit, whose mode and group are the unit's.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms::supervisor {

struct KmsSocketOptions {
  std::string path;
  mode_t mode = 0;
  gid_t group = 0;
};

// How the socket came to be.
enum class SocketOrigin : std::uint8_t {
  kBound,
  kReplacedDead,  // a socket that nobody listened on was removed first
  kInherited,     // socket activation (sd_listen_fds(3))
};

struct KmsSocket {
  UniqueFd listener;  // listening, non-blocking, close-on-exec
  SocketOrigin origin = SocketOrigin::kBound;
};

// Why there is no socket: the service's exit code depends on it.
//   kInvalidArgument      an inherited socket that is not the configured one
//   kFailedPrecondition   somebody else answers on the path, or something else stands there
Result<KmsSocket> OpenKmsSocket(const KmsSocketOptions& options);

// Removes the socket file again at an ordered end. Only for one that this process bound.
void RemoveKmsSocket(const std::string& path);

}  // namespace baokms::supervisor
