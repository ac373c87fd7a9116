#include "common/base/sanitizer_needs.h"

#if defined(__SANITIZE_ADDRESS__)

#include <linux/sched.h>
#include <sys/prctl.h>
#include <fcntl.h>
#include <seccomp.h>

#include <cstdint>
#include <initializer_list>

#include "common/base/seccomp_policy.h"

namespace baokms {
namespace {

constexpr DangerousGrant kCheckForLeaks("ADR-0011");

}  // namespace

Status AllowSanitizerNeeds(SeccompPolicy& policy) {
  // The command line at the start, and the memory map for a report: only for reading. The C library
  // opens files by openat(2).
  BAOKMS_TRY(policy.AllowIf(SCMP_SYS(open), {ArgumentLacks(1, O_WRONLY | O_RDWR | O_CREAT)}));
  // Probing memory before the type of an object is read from it; the name of the program for a
  // report; the bounds of the signal stack before a function that does not return.
  return policy.Allow({SCMP_SYS(pipe2), SCMP_SYS(readlink), SCMP_SYS(sigaltstack)});
}

Status AllowLeakCheck(SeccompPolicy& policy) {
  for (const int option : {PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_SET_PDEATHSIG, PR_SET_PTRACER}) {
    BAOKMS_TRY(policy.AllowIf(SCMP_SYS(prctl), {ArgumentIs(0, static_cast<unsigned>(option))}));
  }
  BAOKMS_TRY(policy.AllowIf(SCMP_SYS(clone), {ArgumentHas(0, CLONE_UNTRACED)}));
  // Not with the arguments with which a process proves that getppid(2) is refused to it.
  BAOKMS_TRY(policy.AllowIf(SCMP_SYS(getppid), {ArgumentLacks(0, std::uint64_t{1} << 63U)}));
  BAOKMS_TRY(policy.Allow({SCMP_SYS(getdents), SCMP_SYS(wait4)}));
  return policy.Allow({SCMP_SYS(ptrace)}, kCheckForLeaks);
}

}  // namespace baokms

// Read by the run times before main(). A confined process can start no symbolizer.
extern "C" const char* __asan_default_options() {
  return "symbolize=0:color=never";
}

extern "C" const char* __ubsan_default_options() {
  return "symbolize=0:color=never";
}

#endif
