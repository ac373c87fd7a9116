// Describes for operators why common/base/safe_path.h refused to open a file, and reads the files
// that serve itself needs. It makes no checks of its own.

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "common/base/result.h"
#include "common/base/safe_path.h"

namespace baokms::supervisor {

// Returns why `path` was refused, as the rest of an operator's message: "is not a regular file".
// Begins with the affected part of the path if that is not the path itself.
std::string DescribeRefusal(const PathRefusal& refusal, const std::string& path);

// Returns how `user` is named to an operator: "root", "openbao-kms (994)", or "4321" for a user who
// has no line in /etc/passwd.
std::string DescribeUser(uid_t user);

// Returns the name with which chown(1) accepts `user`.
std::string UserName(uid_t user);

// Returns why `place` may not belong to `owner`, for a provider that runs as `own_user`, and what
// to do: "belongs to openbao-kms (994) but this process is root: run it as openbao-kms".
std::string DescribeOwner(const std::string& place, uid_t owner, uid_t own_user);

// Reads a regular file from its start. Fails on any other kind of file, and if it is longer than
// `max`.
Result<std::string> ReadRegularFile(int fd, std::size_t max);

}  // namespace baokms::supervisor
