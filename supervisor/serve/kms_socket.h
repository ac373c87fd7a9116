// The KMS socket: bound by this process with the configured mode and group, or inherited from a
// systemd socket unit, which then determines mode and group.

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

// Returns the configured options of the socket. Fails if a name in them is unknown on this host.
Result<KmsSocketOptions> SocketOptionsOf(const Config& config);

// How the socket was obtained.
enum class SocketOrigin : std::uint8_t {
  kBound,
  kReplacedDead,  // removed a socket without a listening process first
  kInherited,     // socket activation (sd_listen_fds(3))
};

// Identifies the file that a path leads to.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  friend bool operator==(const FileId&, const FileId&) = default;
};

// Who may connect to the socket of a file.
struct FileAccess {
  mode_t mode = 0;
  uid_t owner = 0;
  gid_t group = 0;
  friend bool operator==(const FileAccess&, const FileAccess&) = default;
};

struct KmsSocket {
  UniqueFd listener;  // listening, non-blocking, close-on-exec
  SocketOrigin origin = SocketOrigin::kBound;
  // The file at server.socketPath when the socket was opened.
  FileId file{};
  FileAccess access{};
};

// Opens the socket for the first time: takes the one that systemd passed, or binds one. Permanently
// sets this process's umask to what server.socketMode requires; files of other modes are given
// theirs explicitly. kInvalidArgument: an inherited socket is not the configured one.
// kFailedPrecondition: another process listens on the path, or something that is not a
// socket exists there.
Result<KmsSocket> OpenKmsSocket(const KmsSocketOptions& options);

// Binds the socket with the umask of the first time: also again, with the same checks, after its
// file or directory was lost, which needs ListenerRights::kBindKmsSocket
// (supervisor/serve/sandbox.h). kFailedPrecondition as above.
Result<KmsSocket> BindKmsSocket(const KmsSocketOptions& options);

// Returns whether clients that connect to `path` reach `socket`: the file is the socket's and, if
// this process bound it, the same users may connect. systemd's socket unit and the administrator
// decide who may connect to an inherited one.
[[nodiscard]] bool LeadsTo(const std::string& path, const KmsSocket& socket);

// Removes the socket's file, if this process bound it and it was not replaced.
void RemoveKmsSocket(const std::string& path, const KmsSocket& socket);

}  // namespace baokms::supervisor
