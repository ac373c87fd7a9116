// The source that this program was built from. The values are in a generated source file of their
// own, so that a new commit recompiles only that one.

#pragma once

#include "supervisor/config/build_info.h"

namespace baokms::supervisor {

BuildInfo ThisBuild();

}  // namespace baokms::supervisor
