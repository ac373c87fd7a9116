// Whether a PKCS#11 module may be loaded: its code runs in the auth agent, so nobody but root and
// the agent's own user may be able to write it. The configuration is checked in the same way.

#pragma once

#include <sys/types.h>

#include <string>

#include "common/base/safe_path.h"

namespace baokms::setup {

// Opens the module at `path` for a process of `own_user`, or says why it must not be loaded.
Opened OpenModuleFile(const std::string& path, uid_t own_user);

}  // namespace baokms::setup
