// Whether a PKCS#11 module may be loaded: its code runs in the auth agent, so nobody but root and
// the agent's own user may be able to write it. The configuration is checked in the same way.

#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "common/base/safe_path.h"

namespace baokms::setup {

// Returns why the module at `path` must not be loaded by a process of `own_user`, or nothing.
std::optional<PathRefusal> CheckModuleFile(const std::string& path, uid_t own_user);

}  // namespace baokms::setup
