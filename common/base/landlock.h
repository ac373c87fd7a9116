// Removes file access rights from this process by path (landlock(7)), where the kernel supports it.
// System call filters cannot inspect paths, so only this can restrict access to one directory.

#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"

namespace baokms {

// Restricts this thread, and every thread it starts, to changing files below `directory`; reading
// and open descriptors are not affected. Requires no_new_privs. Returns the kernel's Landlock ABI
// version, or 0 when the kernel has no Landlock and nothing changed. Fails when `directory` cannot
// be opened.
Result<std::uint32_t> ChangeFilesOnlyBelow(const std::string& directory);

}  // namespace baokms
