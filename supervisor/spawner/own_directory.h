// The directory in which the programs of this project are installed.

#pragma once

#include <string>

#include "common/base/result.h"

namespace baokms::supervisor {

// Returns the directory of this process's own program (proc(5), /proc/self/exe), with a trailing
// slash.
Result<std::string> OwnDirectory();

}  // namespace baokms::supervisor
