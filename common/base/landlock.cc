#include "common/base/landlock.h"

#include <linux/landlock.h>
#include <sys/syscall.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/error.h"

namespace baokms {
namespace {

// ABI 1.
constexpr std::uint64_t kChanges = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                                   LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                   LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                                   LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                                   LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

// Newer than Debian 12's header: truncate(2) of a path, from ABI 3.
constexpr std::uint64_t kTruncate = 1ULL << 14U;
constexpr std::uint32_t kTruncateAbi = 3;

}  // namespace

UniqueFd OpenWritableDirectory(const std::string& path) {
  return UniqueFd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

Result<std::uint32_t> ChangeFilesOnlyBelow(const UniqueFd& directory) {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi <= 0) {
    return 0U;
  }
  landlock_ruleset_attr rights{};
  rights.handled_access_fs = kChanges | (abi >= kTruncateAbi ? kTruncate : 0);
  const UniqueFd rules(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &rights, sizeof rights, 0)));
  if (!rules.valid()) {
    return Error(ErrorCode::kSystem, "landlock_create_ruleset", errno);
  }
  landlock_path_beneath_attr beneath{};
  beneath.allowed_access = rights.handled_access_fs;
  beneath.parent_fd = directory.get();
  if (::syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0 ||
      ::syscall(SYS_landlock_restrict_self, rules.get(), 0) != 0) {
    return Error(ErrorCode::kSystem, "landlock_restrict_self", errno);
  }
  return static_cast<std::uint32_t>(abi);
}

}  // namespace baokms
