// Opens an input file only when nobody but root and we could have put it there. The path is walked
// with openat(2), and every check is made on the descriptor that is used next, so that nothing can
// be swapped between check and use. It does not know what is in the file.

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms {

// What a kind of input file may look like (configuration reference, sections 6 and 11).
struct FileRules {
  mode_t forbidden_bits = 0;  // permission bits that must all be off
  std::size_t max_size = 0;   // bytes
  uid_t own_user = 0;         // besides root, the only allowed owner; usually geteuid()
};

// A regular file that passed every rule, open for reading at its start.
struct SafeFile {
  UniqueFd fd;
  std::size_t size = 0;  // at the time of the check; at most max_size
};

// Opens `path`. The file must be regular, owned by root or `own_user`, without a forbidden bit and
// not larger than allowed. No directory on the way may be writable by its group or by everybody,
// unless it is sticky. A symbolic link is followed only when every directory passed is owned by
// root, and when the link itself is: nobody else can then have put it there.
//
// kInvalidArgument: not absolute, or over-long. kNotFound: a part is missing. kPermissionDenied: a
// rule is broken. kResourceExhausted: too large. kUnavailable: replaced while it was opened; try
// again. kSystem: not readable.
Result<SafeFile> OpenSafeFile(const std::string& path, const FileRules& rules);

// Which file a path leads to and in which version, as far as stat(2) can tell.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;

  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

// Follows links; all zero when there is nothing to stat. Tells that a file was replaced, and is no
// check of it.
FileStamp StampFile(const std::string& path);

}  // namespace baokms
