// Opens what only root or we could have put in place: input files, and directories that we write
// into. The path is walked with openat(2), and every check is made on the descriptor that is used
// next, so that nothing can be swapped between check and use. It does not know what is in a file.
//
// A file or directory that is opened belongs to root or `own_user` and has no forbidden bit. No
// directory on the way may be writable by its group or by everybody, unless it is sticky. A
// symbolic link is followed only when it is root's and every directory passed before it is: nobody
// else can then have put it there.

#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "common/base/error.h"
#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms {

// Who may own the directories on the way to what is opened.
enum class DirectoryOwners : std::uint8_t {
  kAnyone,     // who cannot swap what is checked; behind a link, only root all the same
  kRootOrOwn,  // root or `own_user`
};

// What a kind of input file may look like (docs/config.md#files).
struct FileRules {
  mode_t forbidden_bits = 0;  // permission bits that must all be off
  std::size_t max_size = 0;   // bytes
  uid_t own_user = 0;         // besides root, the only allowed owner; usually geteuid()
  DirectoryOwners directories = DirectoryOwners::kAnyone;
};

enum class FinalSymlink : std::uint8_t { kByRule, kRefused };

// What a directory may look like; those on the way belong to root or `own_user` as well.
struct DirectoryRules {
  mode_t forbidden_bits = 0;
  uid_t own_user = 0;
  FinalSymlink final_symlink = FinalSymlink::kByRule;
};

// What a path can fail by.
enum class PathRule : std::uint8_t {
  kForm,          // absolute, no NUL, shorter than PATH_MAX
  kOpens,         // there, and the kernel lets us; sys_errno says why not
  kDirectory,     // a directory where there has to be one
  kNotWritable,   // a directory on the way that others cannot write
  kOwner,         // root's or our user's
  kLink,          // a symbolic link that root made in root's directories
  kFinalLink,     // no symbolic link as the last part
  kLinks,         // no more symbolic links than the kernel follows
  kReadableLink,  // a symbolic link that can be read
  kRegular,       // a regular file
  kMode,          // no forbidden bit
  kSize,          // not larger than allowed
  kSame,          // not replaced while it was opened
};

// Why a path was not opened.
struct PathRefusal {
  PathRule rule = PathRule::kForm;
  std::string place;  // the part of the path that broke the rule
  mode_t bits = 0;    // with kMode: the forbidden ones that are set
  int sys_errno = 0;

  // kInvalidArgument: kForm. kNotFound: a part is missing. kResourceExhausted: too large.
  // kUnavailable: replaced while it was opened; try again. kSystem: the kernel refuses.
  // kPermissionDenied: any other rule.
  [[nodiscard]] Error ToError() const;
};

// A descriptor, or why there is none.
struct [[nodiscard]] Opened {
  UniqueFd fd;
  std::size_t size = 0;  // of a file, at the time of the check; at most max_size
  std::optional<PathRefusal> refusal;
};

// The descriptor of a regular file is open for reading, at its start.
Opened OpenFileByRules(const std::string& path, const FileRules& rules);

// The descriptor is an O_PATH one of the directory.
Opened OpenDirectoryByRules(const std::string& path, const DirectoryRules& rules);

// A regular file that passed every rule, open for reading at its start.
struct SafeFile {
  UniqueFd fd;
  std::size_t size = 0;  // at the time of the check; at most max_size
};

// As OpenFileByRules(), for callers that need no more than an error.
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
