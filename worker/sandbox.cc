#include "worker/sandbox.h"

#include <seccomp.h>

#include <cerrno>

namespace baokms::worker {

Result<SeccompPolicy> BuildPolicy() {
  SeccompPolicy policy = BAOKMS_TRY(SeccompPolicy::CreateForTalkingChild());
  // libcurl 7.88 calls connect() on the already connected descriptor it receives (its issue 10626).
  BAOKMS_TRY(policy.Refuse({SCMP_SYS(connect)}, 0));
  return policy;
}

Status EnterSandbox() {
  SeccompPolicy policy = BAOKMS_TRY(BuildPolicy());
  return policy.Install();
}

}  // namespace baokms::worker
