// What the supervisor gives up before it does anything else.

#pragma once

#include "common/base/result.h"

namespace baokms::supervisor {

// Empties every capability set of this process for good (capabilities(7)): a program it starts
// cannot get one back, since no_new_privs is set too.
Status DropCapabilities();

// Orphaned grandchildren come to this process (prctl(2), PR_SET_CHILD_SUBREAPER).
Status BecomeSubreaper();

}  // namespace baokms::supervisor
