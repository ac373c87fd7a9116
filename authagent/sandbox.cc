#include "authagent/sandbox.h"

#include <cerrno>

#include <fcntl.h>
#include <seccomp.h>

#include "common/base/result.h"
#include "common/base/seccomp_policy.h"

namespace baokms::authagent {

Result<SeccompPolicy> BuildPolicy() {
  SeccompPolicy policy = BAOKMS_TRY(SeccompPolicy::CreateForChild());
  BAOKMS_TRY(policy.KillDangerous());
  BAOKMS_TRY(policy.AllowOpenTransfers());  // the channels it was born with, brokered sockets
  BAOKMS_TRY(policy.AllowSocketTuning());   // libcurl looks at the sockets it is given
  BAOKMS_TRY(policy.AllowMemory());         // malloc, SecretBuffer; nothing executable
  BAOKMS_TRY(policy.AllowWaiting());        // its event loop
  BAOKMS_TRY(policy.AllowEntropy());        // TLS
  BAOKMS_TRY(policy.AllowOwnTimers());      // postpones its dead man's timer
  BAOKMS_TRY(policy.AllowExit());
  // The JWT file, read at each login by a checked walk of its path: reading only, never creating.
  BAOKMS_TRY(policy.AllowMasked(SCMP_SYS(openat), 2, O_WRONLY | O_RDWR | O_CREAT | O_TRUNC, 0));
  BAOKMS_TRY(policy.Allow({SCMP_SYS(newfstatat), SCMP_SYS(fstat), SCMP_SYS(readlinkat),
                           SCMP_SYS(pread64), SCMP_SYS(geteuid)}));
  // libcurl 7.88 calls connect() on the connected descriptor it was given (its issue 10626).
  BAOKMS_TRY(policy.Refuse({SCMP_SYS(connect)}, 0));
  return policy;
}

Status EnterSandbox() {
  SeccompPolicy policy = BAOKMS_TRY(BuildPolicy());
  return policy.Install();
}

}  // namespace baokms::authagent
