// Privileges that the supervisor gives up before it does anything else.

#pragma once

#include "common/base/result.h"

namespace baokms::supervisor {

// Permanently empties every capability set of this process (capabilities(7)). A program that it
// starts cannot regain one, because no_new_privs is set as well.
Status DropCapabilities();

}  // namespace baokms::supervisor
