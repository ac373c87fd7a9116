// Removes file access rights from this process by path (landlock(7)), where the kernel supports it.
// System call filters cannot inspect paths, so only this can restrict access to one directory.

#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "common/base/unique_fd.h"

namespace baokms {

// Whether Landlock restricts a process, and why not.
struct LandlockState {
  enum class Use : std::uint8_t { kOff, kNotSupported, kInForce };

  Use use = Use::kOff;    // kOff: not asked for; kNotSupported: the kernel has none
  std::uint32_t abi = 0;  // the kernel's version, if in force
};

// Opens a directory for ChangeFilesOnlyBelow(), as an O_PATH descriptor. Invalid, with errno, if it
// does not exist, is not a directory or cannot be reached.
UniqueFd OpenWritableDirectory(const std::string& path);

// Restricts this thread, and every thread it starts, to changing files below `directory`; reading
// and open descriptors are not affected. Requires no_new_privs. Returns the kernel's Landlock ABI
// version, or 0 when the kernel has no Landlock and nothing changed.
Result<std::uint32_t> ChangeFilesOnlyBelow(const UniqueFd& directory);

}  // namespace baokms
