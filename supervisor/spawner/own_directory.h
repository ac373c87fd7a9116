// Where the programs that belong together are installed.

#pragma once

#include <string>

#include "common/base/result.h"

namespace baokms::supervisor {

// The directory of this process's own program (proc(5), /proc/self/exe), with a slash at its end.
Result<std::string> OwnDirectory();

}  // namespace baokms::supervisor
