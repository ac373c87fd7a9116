// Opens files that decide about trust, so that the check and the use are one step: the path is
// walked from the root with openat(), nothing is looked up by name twice, and the answer is the
// checked descriptor.
//
// Refused are: directories on the way that somebody else can write (sticky ones excepted) or owns,
// a file owned by anyone but root or a trusted user, forbidden mode bits, anything but a regular
// file. A symlink counts only when every directory passed through so far is root's and not writable
// by others (sticky directories excepted, if the link itself is root's).

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms::supervisor {

// Who may own files and directories besides root.
struct TrustedOwners {
  uid_t user;

  // The effective user of this process.
  static TrustedOwners Mine();
};

struct FileRules {
  // Mode bits that may not be set.
  mode_t forbidden_bits;
};

enum class FinalSymlink { kByRule, kRefused };

struct DirectoryRules {
  mode_t forbidden_bits;
  // What a symlink as the last part of the path means.
  FinalSymlink final_symlink;
};

// Either a descriptor, or why there is none, as a message for the operator. The message names a
// part of the path when that is not the path itself.
struct [[nodiscard]] SafeOpened {
  UniqueFd fd;
  std::optional<std::string> refusal;
};

// `path` must be absolute. The descriptor is open for reading.
SafeOpened OpenSafeFile(const std::string& path, const FileRules& rules, TrustedOwners owners);

// The descriptor is an O_PATH one of the directory.
SafeOpened OpenSafeDirectory(const std::string& path,
                             const DirectoryRules& rules,
                             TrustedOwners owners);

// Reads a regular file from its start. Fails on anything else and when it is longer than `max`.
Result<std::string> ReadRegularFile(int fd, std::size_t max);

// "cannot be opened: No such file or directory": an Error as the rest of an operator's message.
std::string DescribeFileError(const Error& error);

}  // namespace baokms::supervisor
