#include "ipc/child_process.h"

#include <fcntl.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "common/base/process.h"
#include "common/base/secret_pages.h"

namespace baokms::ipc {
namespace {

Result<UniqueFd> OpenOwn(const char* path) {
  UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) {
    return Error(ErrorCode::kSystem, "open of a file in /proc/self", errno);
  }
  return fd;
}

}  // namespace

int RunUnlessByHand(std::string_view program, int argument_count, const std::function<int()>& run) {
  if (argument_count <= 1 && ::fcntl(kSupervisorChannel, F_GETFD) >= 0) {
    return run();
  }
  const std::string text =
      std::string(program) + " is started by bao-kms-provider; do not run it by hand\n";
  (void)!::write(STDERR_FILENO, text.data(), text.size());
  return EX_USAGE;
}

Result<ProcFiles> OpenProcFiles() {
  ProcFiles files;
  files.status = BAOKMS_TRY(OpenOwn("/proc/self/status"));
  files.statm = BAOKMS_TRY(OpenOwn("/proc/self/statm"));
  return files;
}

Result<ProcFiles> BeginChild(const ChildLimits& limits) {
  BAOKMS_TRY(RequireOpenDescriptors(limits.fixed_descriptors));
  BAOKMS_TRY(CloseFrom(limits.fixed_descriptors));
  BAOKMS_TRY(NameProcess(limits.process_name));
  ProcFiles files = BAOKMS_TRY(OpenProcFiles());
  // OpenSSL needs the time zone when it verifies a certificate. libc reads the zone file here,
  // because it cannot do so later.
  ::tzset();
  BAOKMS_TRY(HardenSelf());
  ReserveSecretPages();
  BAOKMS_TRY(LimitResource(RLIMIT_FSIZE, limits.file_bytes));
  BAOKMS_TRY(LimitResource(RLIMIT_NOFILE, limits.open_files));
  BAOKMS_TRY(LimitResource(RLIMIT_DATA, limits.data_bytes));
  BAOKMS_TRY(LimitResource(RLIMIT_AS, limits.address_bytes));
  BAOKMS_TRY(IgnoreGroupSignals());
  return files;
}

ExitCode ExitCodeAfter(const Error& why) {
  switch (why.code()) {
    case ErrorCode::kUnavailable:
      return ExitCode::kSupervisorGone;
    case ErrorCode::kProtocolViolation:
      return ExitCode::kPeerViolation;
    default:
      return ExitCode::kLoopFailed;
  }
}

}  // namespace baokms::ipc
