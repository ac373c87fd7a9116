// bao-kms-worker: holds one OpenBao token and calls Transit. Started only by the spawner.

#include <sys/syscall.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "common/base/result.h"
#include "common/base/unique_fd.h"
#include "ipc/child_descriptors.h"
#include "ipc/child_process.h"
#include "ipc/child_session.h"
#include "ipc/refused_syscall.h"
#include "ipc/sealed.h"
#include "proto/ipc.pb.h"
#include "proto/setup.pb.h"
#include "worker/sandbox.h"
#include "worker/worker.h"

namespace baokms::worker {
namespace {

// Three channels, 16 kept-alive connections, as many being established, and the loop's own
// descriptors.
constexpr rlim_t kOpenFiles = 96;
// Measured usage is below 10 MiB; this leaves room for the largest metadata response and for every
// request at its maximum.
constexpr rlim_t kDataBytes = rlim_t{128} << 20U;

// The order is security-critical: nothing is received before the filter is installed.
Status Start(ipc::ChildSession& session) {
  ipc::ProcFiles proc = BAOKMS_TRY(ipc::BeginChild({.process_name = "bao-kms-worker",
                                                    .fixed_descriptors = ipc::kChildDescriptors,
                                                    .open_files = kOpenFiles,
                                                    .data_bytes = kDataBytes,
                                                    .address_bytes = ipc::kAddressBytes}));
  const auto setup = BAOKMS_TRY(ipc::OpenSealed<ipc::WorkerSetup>(ipc::kSetupDescriptor));
  std::unique_ptr<Worker> worker =
      BAOKMS_TRY(Worker::Prepare(setup, session, UniqueFd(ipc::kSpawnerChannel)));
  BAOKMS_TRY(ipc::ReportRefusedSyscalls(ipc::kSupervisorChannel));
  BAOKMS_TRY(EnterSandbox());
  ipc::ConfinementReport confinement;
  confinement.set_filter_name(kFilterName);
  confinement.set_refused_syscall(BAOKMS_TRY(ipc::ProveRefused(SYS_dup3)));  // the spawner's alone
  // No destructor runs: the kernel releases everything faster, and libcurl's clean-up needs system
  // calls that the filter refuses.
  ::_exit(static_cast<int>(worker->Run(std::move(proc), confinement)));
}

}  // namespace
}  // namespace baokms::worker

int main(int argument_count, char** /*arguments*/) {
  return baokms::ipc::RunUnlessByHand("bao-kms-worker", argument_count, [] {
    return baokms::ipc::RunChild(baokms::ipc::ROLE_WORKER, baokms::worker::Start);
  });
}
