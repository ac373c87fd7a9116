#include "supervisor/etcd/scan_program.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <utility>
#include <variant>

#include <openssl/crypto.h>

#include "common/base/process.h"
#include "common/base/result.h"
#include "common/base/seccomp_policy.h"
#include "common/base/users.h"
#include "common/setup/limits.h"
#include "ipc/child_descriptors.h"
#include "ipc/child_process.h"
#include "ipc/sealed.h"
#include "proto/etcd_scan.pb.h"
#include "supervisor/config/host_checks.h"
#include "supervisor/config/safe_file.h"
#include "supervisor/etcd/scan.h"
#include "supervisor/etcd/scan_message.h"
#include "supervisor/serve/sandbox.h"

namespace baokms::supervisor {
namespace {

// For gRPC's threads and their wake-up descriptors, and one connection to etcd.
constexpr rlim_t kOpenFiles = 128;
// For two copies of a 16 MiB page, the largest inventory, and the stacks of gRPC's threads.
constexpr rlim_t kDataBytes = rlim_t{768} << 20U;
// kube-apiserver compacts etcd every five minutes, so a scan that takes much longer loses its
// revision anyway.
constexpr std::int64_t kScanSeconds = 15 * 60;

// Ends this process when the command has ended, because nothing would read the answer.
Status EndWithParent() {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
    return Error(ErrorCode::kSystem, "prctl(PR_SET_PDEATHSIG)", errno);
  }
  return {};
}

Result<EtcdTarget> ReadTarget() {
  const auto setup = BAOKMS_TRY(ipc::OpenSealed<ipc::EtcdScanSetup>(kScanSetup));
  EtcdTarget target{.host = setup.host(),
                    .port = static_cast<std::uint16_t>(setup.port()),
                    .prefix = setup.prefix(),
                    .credentials = {}};
  if (!setup.plain()) {
    target.credentials.emplace();
    target.credentials->ca_pem = BAOKMS_TRY(ReadRegularFile(kScanCa, setup::kMaxCaBundleBytes));
  }
  if (setup.client_certificate()) {
    target.credentials->certificate_pem =
        BAOKMS_TRY(ReadRegularFile(kScanCertificate, setup::kMaxCaBundleBytes));
    target.credentials->key_pem = BAOKMS_TRY(ReadRegularFile(kScanKey, setup::kMaxCaBundleBytes));
  }
  return target;
}

// Failures that etcd or a file causes are part of the answer.
ipc::EtcdScanAnswer Answer(const EtcdTarget& target) {
  ipc::EtcdScanAnswer answer;
  if (target.credentials) {
    answer.set_refused_file(FindCredentialProblem(*target.credentials));
  }
  if (!answer.refused_file().empty()) {
    return answer;
  }
  auto scanned = ScanEtcd(target);
  if (auto* failure = std::get_if<std::string>(&scanned)) {
    answer.set_failure(std::move(*failure));
    return answer;
  }
  return ToMessage(std::get<EtcdScan>(scanned));
}

// The order is security-critical: nothing is read from etcd before the filter is in force.
Status ScanOnce() {
  (void)BAOKMS_TRY(ipc::BeginChild({.process_name = "bao-kms-etcd",
                                    .fixed_descriptors = kScanDescriptors,
                                    .open_files = kOpenFiles,
                                    .data_bytes = kDataBytes}));
  BAOKMS_TRY(EndWithParent());
  [[maybe_unused]] const DeadMansTimer limit = BAOKMS_TRY(DeadMansTimer::Create(kScanSeconds));
  BAOKMS_TRY(DropCapabilities());
  // Skips this host's OpenSSL configuration file, which could load code.
  if (::OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr) != 1) {
    return Error(ErrorCode::kSystem, "OPENSSL_init_crypto");
  }
  const EtcdTarget target = BAOKMS_TRY(ReadTarget());
  SeccompPolicy policy = BAOKMS_TRY(BuildSupervisorPolicy(ListenerRights::kNone, ::getpid()));
  BAOKMS_TRY(policy.Install());
  return SendAnswer(Answer(target), kScanAnswer);
}

}  // namespace

int RunScanProgram() {
  Status sent = ScanOnce();
  if (!sent) {
    ipc::EtcdScanAnswer answer;
    answer.set_failure("the scan could not start: " + sent.error().Describe());
    sent = SendAnswer(answer, kScanAnswer);
  }
  return sent ? 0 : static_cast<int>(ipc::ExitCode::kStartFailed);
}

}  // namespace baokms::supervisor
