// File rights that the kernel takes from this process by path (landlock(7)), where it can. System
// call filters see no paths; this is what tells one directory from another.

#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"

namespace baokms {

// From now on this thread, and every one it starts, changes files below `directory` only; reading
// stays as it was, and so do open descriptors. Needs no_new_privs. Gives the kernel's ABI version;
// 0: it has no Landlock, and nothing changed. Fails when `directory` cannot be opened.
Result<std::uint32_t> ChangeFilesOnlyBelow(const std::string& directory);

}  // namespace baokms
