// Opens paths that only root or this process's user can have created: input files, and directories
// for output. The path is walked with openat(2), and every check is made on the descriptor that is
// used next, so nothing can be replaced between check and use. File contents are not examined.
//
// The file or directory that is opened must belong to root or `own_user` and have no forbidden mode
// bit. No directory on the way may be writable by its group or by others, unless it is sticky. A
// symbolic link is followed only when it and every directory before it belong to root, because then
// no other user can have created it.

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/unique_fd.h"

namespace baokms {

// The permitted owners of the directories on the way.
enum class DirectoryOwners : std::uint8_t {
  kAnyone,     // any user who cannot replace what is checked; behind a link, only root
  kRootOrOwn,  // root or `own_user`
};

// What a file with a secret must not permit, unless more is required: its group to write or execute
// it, and others anything.
inline constexpr mode_t kForbiddenSecretBits = 0037;

// Requirements for one kind of input file (docs/config.md#files).
struct FileRules {
  mode_t forbidden_bits = 0;  // permission bits that must not be set
  std::size_t max_size = 0;   // bytes
  uid_t own_user = 0;         // the only permitted owner besides root; usually geteuid()
  DirectoryOwners directories = DirectoryOwners::kAnyone;
};

enum class FinalSymlink : std::uint8_t { kByRule, kRefused };

// Requirements for a directory. The directories on the way must belong to root or `own_user` too.
struct DirectoryRules {
  mode_t forbidden_bits = 0;
  uid_t own_user = 0;
  FinalSymlink final_symlink = FinalSymlink::kByRule;
};

// The rules that a path can break.
enum class PathRule : std::uint8_t {
  kForm,          // is absolute, has no NUL and is shorter than PATH_MAX
  kOpens,         // exists, and the kernel permits opening it; see sys_errno otherwise
  kDirectory,     // is a directory where one is required
  kNotWritable,   // no directory on the way is writable by other users
  kOwner,         // belongs to root or our user
  kLink,          // a symbolic link belongs to root, in directories of root
  kFinalLink,     // the last component is not a symbolic link
  kLinks,         // has no more symbolic links than the kernel follows
  kReadableLink,  // every symbolic link can be read
  kRegular,       // is a regular file
  kMode,          // has no forbidden mode bit
  kSize,          // is not larger than allowed
  kSame,          // was not replaced while it was opened
};

// Returns for example "mode 0644, at most 0640 is allowed". `mode` is a st_mode.
std::string DescribeMode(mode_t mode, mode_t forbidden_bits);

// Explains why a path was not opened.
struct PathRefusal {
  PathRule rule = PathRule::kForm;
  std::string component{};  // the part of the path that broke the rule
  mode_t bits = 0;          // with kMode and kNotWritable: the forbidden permission bits
  int sys_errno = 0;
  mode_t mode = 0;           // with kMode and kNotWritable: st_mode of `component`
  uid_t owner = 0;           // with kOwner: whom `component` belongs to
  uid_t own_user = 0;        // the only permitted owner besides root
  std::size_t max_size = 0;  // with kSize: bytes

  // Returns what is wrong and what to do, as the rest of a sentence about `component`: "is writable
  // by others: mode 0777, at most 0755 is allowed; run chmod 0755 PLACE". Names `component` in
  // commands as `place` and nowhere else.
  [[nodiscard]] std::string Describe(const std::string& place) const;
};

// A descriptor, or the reason why there is none.
struct [[nodiscard]] Opened {
  UniqueFd fd;
  std::size_t size = 0;  // of a file, when it was checked; at most max_size
  std::optional<PathRefusal> refusal;
};

// Opens a regular file for reading, positioned at its start.
Opened OpenFileByRules(const std::string& path, const FileRules& rules);

// Opens a directory as an O_PATH descriptor.
Opened OpenDirectoryByRules(const std::string& path, const DirectoryRules& rules);

// Identifies a file and its version as far as stat(2) can.
struct FileStamp {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;

  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

// Stamps the file at `path`, following links. Returns all zeros when stat(2) fails. A stamp reveals
// that a file was replaced; it is not a security check.
FileStamp StampFile(const std::string& path);

}  // namespace baokms
