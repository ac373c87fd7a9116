// The KMS socket: bound by us with the configured mode and group, or inherited from a systemd
// socket unit, whose mode and group are the unit's.

#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "supervisor/config/config.h"

namespace baokms::supervisor {

struct KmsSocketOptions {
  std::string path;
  mode_t mode = 0;
  gid_t group = 0;
};

// What the configuration says of the socket. Fails when a name in it is unknown to this host.
Result<KmsSocketOptions> SocketOptionsOf(const Config& config);

// How the socket came to be.
enum class SocketOrigin : std::uint8_t {
  kBound,
  kReplacedDead,  // a socket that no process listened on was removed first
  kInherited,     // socket activation (sd_listen_fds(3))
};

// Which file a path led to.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  friend bool operator==(const FileId&, const FileId&) = default;
};

struct KmsSocket {
  UniqueFd listener;  // listening, non-blocking, close-on-exec
  SocketOrigin origin = SocketOrigin::kBound;
  FileId file{};  // what server.socketPath led to when the socket was opened
};

// Opens the socket for the first time: takes the one that systemd passed, or binds one. Sets this
// process's umask for good to what server.socketMode needs; files of other modes are given theirs
// explicitly.
//   kInvalidArgument      an inherited socket that is not the configured one
//   kFailedPrecondition   another process answers on the path, or something else stands there
Result<KmsSocket> OpenKmsSocket(const KmsSocketOptions& options);

// Binds the socket after its file or directory was lost, with the same checks. Needs
// ListenerRights::kBindKmsSocket (supervisor/serve/sandbox.h). kFailedPrecondition as above.
Result<KmsSocket> BindKmsSocketAgain(const KmsSocketOptions& options);

// Whether clients that connect to `path` reach `socket`.
[[nodiscard]] bool LeadsTo(const std::string& path, const KmsSocket& socket);

// Removes the socket's file at an ordered end, if it is still the one that this process bound.
void RemoveKmsSocket(const std::string& path, const KmsSocket& socket);

}  // namespace baokms::supervisor
