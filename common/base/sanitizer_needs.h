// What the run times of AddressSanitizer and UndefinedBehaviorSanitizer need of a confined process,
// so that the real programs are tested under them with their sandboxes. The compiler defines the
// macro below in a sanitized build alone (preset `asan`); no other build contains any of it, which
// the reviewed texts of the filters show.

#pragma once

#include "common/base/result.h"

namespace baokms {

class SeccompPolicy;

#if defined(__SANITIZE_ADDRESS__)

// Then the output of the children goes to that of the supervisor, not to /dev/null. RLIMIT_FSIZE,
// which would keep them from writing a report there, is not set, nor are RLIMIT_DATA and
// RLIMIT_AS, which would count the shadow memory: terabytes of addresses.
inline constexpr bool kSanitized = true;

// Allows the calls of the run time, in addition to those of the process.
Status AllowSanitizerNeeds(SeccompPolicy& policy);

// Allows what the check for leaks at the end of a process needs: a process of its own that stops
// all threads. Children end without it, by _exit(2).
Status AllowLeakCheck(SeccompPolicy& policy);

#else

inline constexpr bool kSanitized = false;

inline Status AllowSanitizerNeeds(SeccompPolicy& /*policy*/) {
  return {};
}

inline Status AllowLeakCheck(SeccompPolicy& /*policy*/) {
  return {};
}

#endif

}  // namespace baokms
